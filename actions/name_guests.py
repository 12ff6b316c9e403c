"""What does our directory call the guests? Their rows may carry the home tenant's name, which nobody here can look up.

    GET /users?$filter=id in ('…','…')&$select=id,userPrincipalName,…
    https://learn.microsoft.com/graph/api/user-list

Asked in chunks of fifteen, the most that Graph takes, and for guests only. Where it fails the name of the rows stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.clients.lanes import within
from respond.errors import RespondError
from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.step import clients, limit_of, read_action

_AT_ONCE = 15


@read_action("User.Read.All")
async def name_guests(case: Case, *, people: Sequence[Account]) -> tuple[Account, ...]:
    """The same people in the same order, guests under the name that our directory has for them."""
    graph = clients(case).graph
    guests = [who.id for who in people if who.kind is AccountKind.GUEST]
    named: dict[str, Account] = {}
    try:
        async with within(limit_of("name_guests").total_seconds()):
            for start in range(0, len(guests), _AT_ONCE):
                found = await graph.accounts(guests[start : start + _AT_ONCE])
                named |= {account.id.lower(): account for account in found}
    except (RespondError, TimeoutError):
        pass  # a name is for reading; the object id is what everything goes by
    return tuple(_named(who, named.get(who.id.lower())) for who in people)


def _named(who: Account, known: Account | None) -> Account:
    if known is None or not known.upn:
        return who
    names = tuple(dict.fromkeys((who.upn, *who.other_upns)))
    return who.model_copy(update={"upn": known.upn, "mail": known.mail, "other_upns": names})
