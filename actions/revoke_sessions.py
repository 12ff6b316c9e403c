"""End every session of one user: refresh tokens and browser session cookies.

    POST /users/{id}/revokeSignInSessions
    https://learn.microsoft.com/graph/api/user-revokesigninsessions

Safe to repeat: Entra keeps one cut-off a user, `signInSessionsValidFromDateTime`. It is moved only if it lies before
the attacker's last token, so a second run finds nothing to do and does not sign the user out again.

Leaves open: access tokens already issued work until they expire (60 to 90 minutes; up to 15 minutes where
continuous access evaluation applies). Guests sign in through their home tenant, which this does not reach. A
primary refresh token of a device that the attacker registered may survive.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.models.report import ActionStatus, Change, Request
from respond.step import clients, nothing_was_sent, write_action

NAME = "revoke_sessions"
# Graph keeps the cut-off in whole seconds, and a write takes a moment to show in a read.
_WHOLE_SECOND = timedelta(seconds=1)
_READ_BACK_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)


@write_action("User.Read.All", "User.RevokeSessions.All")
async def revoke_sessions(case: Case, *, account: Account, after: datetime, certain: bool) -> Change:
    """Refuse every refresh token of the user that was issued before now.

    Args:
        after: issue time of the attacker's last token, UTC. A cut-off later than it is good enough.
        certain: act; otherwise say what a person would have to do.

    Raises:
        NotFound: the user does not exist (any more).
        Forbidden: one of the permissions above was not granted.
        Transient: throttled or unreachable, after retries.
    """
    graph = clients(case).graph
    if account.kind is AccountKind.GUEST:
        return _change(
            account,
            ActionStatus.REFUSED,
            f"{account.upn} is a guest and signs in through the home tenant, whose tokens this tenant cannot revoke: "
            "tell the home tenant's administrator, and disable or remove the guest here",
        )
    cut_off = await _cut_off(case, account)
    if cut_off and cut_off > after:
        return _change(account, ActionStatus.UNNEEDED, f"sessions already ended at {_clock(cut_off)}", verified=True)
    request = Request(method="POST", url=graph.revoke_url(account.id))
    if account.kind is AccountKind.BREAK_GLASS:
        wait = "an emergency account of the policy: nobody signs it out without a person's word"
        return _change(account, ActionStatus.AWAITING_APPROVAL, wait, request=request)
    if not certain:
        wait = "not certain enough to sign the user out: a person decides, with the ticket at hand"
        return _change(account, ActionStatus.AWAITING_APPROVAL, wait, request=request)
    if case.is_dry_run:
        plan = f"end every session: the cut-off is {_clock(cut_off)}, the newest token is of {_clock(after)}"
        return _change(account, ActionStatus.PLANNED, plan, request=request)
    await graph.revoke_sessions(account.id)
    return await _read_back(case, account, before=cut_off, after=after)


async def _cut_off(case: Case, account: Account) -> datetime | None:
    """As it is. What was read a moment ago will do on the first try: it spares a request while an attacker reads."""
    if account.is_fresh and not case.read_again and nothing_was_sent(since=account.seen_by):
        return account.sessions_valid_from
    return (await clients(case).graph.account(account.id)).sessions_valid_from


async def _read_back(case: Case, account: Account, *, before: datetime | None, after: datetime) -> Change:
    """Nothing is contained because a call returned 200: the cut-off has to have moved."""
    cut_off: datetime | None = None
    for pause in _READ_BACK_PAUSES:
        await asyncio.sleep(pause)
        cut_off = (await clients(case).graph.account(account.id)).sessions_valid_from
        moved = cut_off is not None and (before is None or cut_off > before)
        if cut_off and moved and cut_off + _WHOLE_SECOND > after:
            return _change(
                account, ActionStatus.DONE, f"cut-off moved to {_clock(cut_off)} and read back", verified=True
            )
    return _change(
        account,
        ActionStatus.DONE,
        f"Graph accepted the request, but the cut-off still reads {_clock(cut_off)}: look again in some minutes",
        verified=False,
    )


def _change(account: Account, status: ActionStatus, summary: str, **more: object) -> Change:
    return Change.model_validate(
        {"name": NAME, "status": status, "target": account.upn, "summary": summary, "contains": True, **more}
    )


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}" if moment else "not set"
