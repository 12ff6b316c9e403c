"""What holds for every containment action: asked people are heard, brakes hold, nothing is done until it is seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from actions.revoke_sessions import revoke_sessions
from respond.models.approvals import Answer, Asked
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intents import Intent
from respond.models.ladder import NOBODY, Begun, May, Rung, Step, Word
from respond.models.report import ActionStatus, Change
from respond.step import process
from respond.store.cases import Store
from tests.helpers.incident_actions import act
from tests.lab.running_lab import USER, RunningLab

ACCOUNT = Account(id=USER, upn="target.user@contoso.com", display_name="Target User")
NAME = Rung.REVOKE_SESSIONS.value
NOW = datetime.now(UTC)
Before = Callable[[Store, Case], object]


@pytest.fixture
def tenant(lab: Callable[..., RunningLab]) -> RunningLab:
    return lab()


def step(*, certain: bool = True) -> Step:
    return Step(rung=Rung.REVOKE_SESSIONS, object=USER, label=ACCOUNT.upn, why="x", after=NOW, certain=certain)


async def revoke(
    case: Case, *, before: Before = lambda _store, _case: None, word: Word | None = None, certain: bool = True
) -> Change:
    """Revoke after something has happened to the case."""
    before(process().store, case)
    given = word or Word(may=May.AUTO)
    return await revoke_sessions(case, account=ACCOUNT, step=step(certain=certain), word=given)


async def revoke_beyond_the_limit(case: Case, *, by: str) -> Change:
    ladder = case.policy.ladder
    none = ladder.limits.model_copy(update={"per_run": 0})
    policy = case.policy.model_copy(update={"ladder": ladder.model_copy(update={"limits": none})})
    return await revoke(case.model_copy(update={"policy": policy}), word=Word(may=May.AUTO, by=by))


def writes(tenant: RunningLab) -> int:
    return len(tenant.get("/_lab/writes"))


def answered(answer: Answer, *, certain: bool) -> Before:
    def ask(store: Store, case: Case) -> None:
        known: dict[str, Any] = {"case": case.id, "tenant": case.tenant, "name": NAME, "object": USER}
        said: dict[str, Any] = {"target": ACCOUNT.upn, "summary": "x", "run": "r", "at": NOW, "due": NOW}
        store.approvals.ask(Asked(**known, **said, step=step(certain=certain).model_dump_json()))
        store.approvals.answer(case.id, names=None, answer=answer, by="ann@host", at=NOW)

    return ask


def undone(store: Store, case: Case) -> None:
    known: dict[str, Any] = {"tenant": case.tenant, "case": case.id, "user_id": USER, "name": NAME, "object": USER}
    store.intents.begin(Intent(**known, step=Begun(run="r", step=step()).model_dump_json(), before="{}", at=NOW))
    store.intents.undone(case.id, NAME, USER, NOW)


def frozen(store: Store, case: Case) -> None:
    store.brakes.freeze(case.tenant, "ann@host", "drill", NOW)


def test_a_write_is_done_when_the_object_was_read_again_and_is_as_it_should_be(tenant: RunningLab) -> None:
    change = act(revoke)
    assert (change.status, change.verified) == (ActionStatus.DONE, True)
    asked = [entry["method"] for entry in tenant.get("/_lab/requests") if f"/users/{USER}" in entry["path"]]
    assert asked[asked.index("POST") :] == ["POST", "GET"]


def test_in_a_dry_run_it_is_planned(tenant: RunningLab) -> None:
    assert act(revoke, dry_run=True).status is ActionStatus.PLANNED
    assert writes(tenant) == 0


@pytest.mark.parametrize("by", ["", "ann@host"])
def test_a_freeze_holds_it_whoever_said_yes(by: str, tenant: RunningLab) -> None:
    change = act(revoke, before=frozen, word=Word(may=May.AUTO, by=by))
    assert (change.status, change.held) == (ActionStatus.AWAITING_APPROVAL, "freeze")
    assert writes(tenant) == 0


@pytest.mark.parametrize(("by", "goes_over"), [("", False), (NOBODY, False), ("ann@host", True)])
def test_only_a_person_goes_over_a_limit(by: str, goes_over: bool, tenant: RunningLab) -> None:
    """A question that nobody answered in time may count as a yes, but no person has looked."""
    change = act(revoke_beyond_the_limit, by=by)
    expected = (ActionStatus.DONE, "") if goes_over else (ActionStatus.AWAITING_APPROVAL, "limit")
    assert (change.status, change.held) == expected
    assert writes(tenant) == goes_over


@pytest.mark.parametrize(
    ("answer", "then", "now", "refused"),
    [
        (Answer.DENIED, True, True, True),
        (Answer.EXPIRED, True, True, True),
        (Answer.DENIED, False, False, True),
        (Answer.DENIED, False, True, False),
        (Answer.APPROVED, True, True, False),
    ],
    ids=["denied", "not answered in time", "a suspicion", "a suspicion that turned out true", "approved"],
)
def test_what_was_denied_is_not_done_unasked(
    answer: Answer, then: bool, now: bool, refused: bool, tenant: RunningLab
) -> None:
    change = act(revoke, before=answered(answer, certain=then), certain=now)
    assert change.status is (ActionStatus.REFUSED if refused else ActionStatus.DONE)
    assert writes(tenant) == (not refused)


@pytest.mark.parametrize(("by", "status"), [("", ActionStatus.AWAITING_APPROVAL), ("ann@host", ActionStatus.DONE)])
def test_what_a_person_has_undone_is_done_again_only_when_a_person_says_so(
    by: str, status: ActionStatus, tenant: RunningLab
) -> None:
    assert act(revoke, before=undone, word=Word(may=May.AUTO, by=by)).status is status
    assert writes(tenant) == (status is ActionStatus.DONE)
