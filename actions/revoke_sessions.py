"""End every session of one user: refresh tokens and browser session cookies.

    POST /users/{id}/revokeSignInSessions
    https://learn.microsoft.com/graph/api/user-revokesigninsessions

Safe to repeat: Entra keeps one cut-off a user, `signInSessionsValidFromDateTime`. It is moved only if it lies before
the attacker's last token, so a second run finds nothing to do and does not sign the user out again.

Leaves open: access tokens already issued work until they expire (60 to 90 minutes; up to 15 minutes where
continuous access evaluation applies). Guests sign in through their home tenant, which this does not reach. A
primary refresh token of a device that the attacker registered may survive: such devices are disabled first.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from respond.models.base import iso_z
from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.models.ladder import Rung, Step
from respond.present import present
from respond.rungs import Kit, Seen, Terms, rung, was_begun
from respond.step import clients, process

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

# Graph keeps the cut-off in whole seconds.
_WHOLE_SECOND = timedelta(seconds=1)
_CUT_OFF = "signInSessionsValidFromDateTime"


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:
    if account.kind is AccountKind.GUEST:
        return Seen(
            done=False,
            says="a guest",
            refuse=f"{account.upn} is a guest and signs in through the home tenant, whose tokens this tenant cannot "
            "revoke: tell the home tenant's administrator, and disable or remove the guest here",
        )
    again = was_begun(case, Rung.REVOKE_SESSIONS, account.id)
    cut_off = await _cut_off(case, account, again=again or before is not None)
    kept: dict[str, str | None] = {_CUT_OFF: iso_z(cut_off) if cut_off else None}
    after = step.after or present()
    if before is None:
        done = cut_off is not None and cut_off > after
        says = f"sessions already ended at {_clock(cut_off)}" if done else f"the cut-off is {_clock(cut_off)}"
        if again and cut_off and not done:
            await asyncio.sleep(_left_of_second(cut_off))
    else:
        # It has to have moved, too: a cut-off of the same second could be from before.
        moved = kept[_CUT_OFF] != before.before[_CUT_OFF]
        done = cut_off is not None and moved and cut_off + _WHOLE_SECOND > after
        says = f"cut-off moved to {_clock(cut_off)}" if moved else f"the cut-off is {_clock(cut_off)}"
    return Seen(done=done, says=says, before=dict(kept))


def _left_of_second(cut_off: datetime) -> float:
    """Seconds until a cut-off can be told from this one: a device that was found late has outlived the first."""
    left = cut_off + _WHOLE_SECOND - present()
    return min(max(left, timedelta()), _WHOLE_SECOND).total_seconds()


async def _cut_off(case: Case, account: Account, *, again: bool) -> datetime | None:
    """As it is. What this process read a moment ago will do: it spares a request while an attacker reads.

    Not where this write may have been sent since: by an earlier try (`again`), or by a process that died.
    """
    if not again and account.is_fresh and not case.read_again and account.seen_by == process().name:
        return account.sessions_valid_from
    return (await clients(case).graph.account(account.id)).sessions_valid_from


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}" if moment else "not set"


KIT = Kit(
    look=_look,
    terms=Terms(
        costs="signs the user out everywhere: they sign in again",
        leaves="access tokens already issued: 60 to 90 minutes, or 15 where continuous access evaluation applies",
        undo="cannot be undone: the user signs in again",
        done="{says}",
    ),
)


@rung(KIT, "User.Read.All", "User.RevokeSessions.All")
def revoke_sessions(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Refuse every refresh token of the user that was issued before now.

    Raises:
        NotFound: the user does not exist (any more).
        Forbidden: one of the permissions above was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.revoke(account.id)
