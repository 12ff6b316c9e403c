"""The evidence on many users together: a handful of queries for a thousand of them, whatever their number.

The same actions as for one user, asked about a chunk of users at a time; what is whose is told apart afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import islice

from actions.find_address_use import find_address_use
from actions.find_earlier_cases import find_earlier_cases
from actions.find_footholds import find_footholds
from actions.find_lures import find_lures
from actions.find_standing import find_standing
from actions.find_token_use import find_token_use
from actions.find_usual_places import find_usual_places
from actions.match_lure_intel import match_lure_intel
from actions.match_threat_intel import match_threat_intel
from respond.decision.cut import Collected
from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.models.facts import facts_of
from respond.models.signin import SignIns


def people_of(signins: Mapping[str, SignIns]) -> tuple[Account, ...]:
    """The users of some sign-ins, as the rows describe them; in the order of their ids."""
    return tuple(_account(user, found) for user, found in sorted(signins.items()) if found.flows)


def _account(user: str, signins: SignIns) -> Account:
    rows = signins.rows
    upns = tuple(dict.fromkeys(row.upn for row in rows if "@" in row.upn))
    guest = any(row.user_type.lower() == "guest" or "#ext#" in row.upn.lower() for row in rows)
    return Account(
        id=rows[0].user_id,
        upn=upns[-1] if upns else user,
        display_name=rows[-1].display_name,
        kind=AccountKind.GUEST if guest else AccountKind.MEMBER,
        other_upns=upns,
    )


async def collect(
    case: Case, people: Sequence[Account], signins: Mapping[str, SignIns], *, at_once: int
) -> AsyncIterator[dict[str, Collected]]:
    """The evidence on each user, by user id in lower case, a chunk of users after the other."""
    rest = iter(people)
    while chunk := tuple(islice(rest, at_once)):
        yield await _collect(case, chunk, signins)


async def _collect(case: Case, people: Sequence[Account], signins: Mapping[str, SignIns]) -> dict[str, Collected]:
    (history, intel, lures), (shared, standing, footholds, uses) = await asyncio.gather(
        asyncio.gather(
            find_usual_places(case, people=people),
            match_threat_intel(case, people=people),
            find_lures(case, people=people),
        ),
        asyncio.gather(
            find_address_use(case, people=people),
            find_standing(case, people=people),
            find_footholds(case, people=people),
            find_token_use(case, people=people),
        ),
    )
    ids = [who.id.lower() for who in people]
    facts = dict.fromkeys(fact for user in ids for fact in facts_of(signins[user], lures[user], case.policy))
    lure_intel, earlier = await asyncio.gather(
        match_lure_intel(case, lures=tuple(lures.values())), find_earlier_cases(case, facts=tuple(facts))
    )
    return {
        user: Collected(
            history=history[user],
            intel=intel,
            lures=lures[user],
            shared=shared,
            standing=standing[user],
            footholds=footholds[user],
            uses=uses[user],
            lure_intel=lure_intel,
            earlier=earlier,
        )
        for user in ids
    }
