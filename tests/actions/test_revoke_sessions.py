"""The revocation: what is good enough, what proves it, and when what was read before is not believed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actions.revoke_sessions import KIT, revoke_sessions
from respond.models.base import iso_z
from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.models.ladder import May, Rung, Step, Word
from respond.models.report import ActionStatus, Change
from respond.rungs import Seen
from respond.step import clients, process
from tests.helpers.incident_actions import act
from tests.lab.running_lab import USER, RunningLab

ACCOUNT = Account(id=USER, upn="target.user@contoso.com", display_name="Target User")
CUT_OFF = "signInSessionsValidFromDateTime"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def tenant(lab: Callable[..., RunningLab]) -> RunningLab:
    return lab()


def step(after: datetime | None) -> Step:
    return Step(rung=Rung.REVOKE_SESSIONS, object=USER, label=ACCOUNT.upn, why="redeemed elsewhere", after=after)


async def cut_off_now(case: Case) -> datetime:
    found = (await clients(case).graph.account(USER)).sessions_valid_from
    assert found is not None
    return found


async def look(case: Case, *, since_cut_off: timedelta, before: Seen | None = None) -> Seen:
    """As the action looks, at an attacker's token that was issued so long after the cut-off."""
    return await KIT.look(case, ACCOUNT, step(await cut_off_now(case) + since_cut_off), before)


async def revoke(case: Case, *, read_again: bool = False, by: str = "") -> Change:
    """Revoke for somebody who was looked up a moment ago, when the cut-off was still late enough."""
    now = datetime.now(UTC)
    seen = {"seen_at": now, "seen_by": by or process().name, "sessions_valid_from": now + HOUR}
    case = case.model_copy(update={"read_again": read_again})
    return await revoke_sessions(case, account=ACCOUNT.model_copy(update=seen), step=step(now), word=Word(may=May.AUTO))


def revocations(tenant: RunningLab) -> int:
    return len([write for write in tenant.get("/_lab/writes") if write["path"].endswith("/revokeSignInSessions")])


@pytest.mark.parametrize(("since", "done"), [(-SECOND, True), (timedelta(0), False), (SECOND, False)])
def test_a_cut_off_is_good_enough_only_if_it_is_later_than_the_last_token(
    since: timedelta, done: bool, tenant: RunningLab
) -> None:
    del tenant
    assert act(look, since_cut_off=since).done is done


@pytest.mark.parametrize(
    ("moved", "since", "done"),
    [(True, SECOND - timedelta(microseconds=1), True), (True, SECOND, False), (False, -HOUR, False)],
    ids=["in the second of the token", "before the token", "not moved"],
)
def test_a_revocation_is_proven_by_a_cut_off_that_moved_to_the_second_of_the_token_or_later(
    moved: bool, since: timedelta, done: bool, tenant: RunningLab
) -> None:
    """Graph keeps whole seconds: one of the same second could be from before."""
    del tenant
    earlier = iso_z(act(cut_off_now) - (HOUR if moved else timedelta(0)))
    assert act(look, since_cut_off=since, before=Seen(done=False, says="", before={CUT_OFF: earlier})).done is done


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({}, ActionStatus.UNNEEDED),
        ({"read_again": True}, ActionStatus.DONE),
        ({"by": "another process"}, ActionStatus.DONE),
    ],
    ids=["a moment ago", "before another run was at the user", "before a crash"],
)
def test_what_was_read_before_is_believed_only_while_nobody_can_have_changed_it(
    how: dict[str, Any], status: ActionStatus, tenant: RunningLab
) -> None:
    assert act(revoke, **how).status is status
    assert revocations(tenant) == (status is ActionStatus.DONE)


def test_a_guest_is_never_reported_as_signed_out(tenant: RunningLab) -> None:
    guest = ACCOUNT.model_copy(update={"kind": AccountKind.GUEST})
    change = act(revoke_sessions, account=guest, step=step(datetime.now(UTC)), word=Word(may=May.AUTO))
    assert change.status is ActionStatus.REFUSED
    assert "home tenant" in change.summary
    assert revocations(tenant) == 0
