"""An incident about a pasted code, or about an attempt that was blocked, is not closed: a person has to look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from respond.models.case import Case, Mode
from respond.models.evidence import Account
from respond.models.intake import Delivery, Replies, Round, Sighting, Trigger
from respond.models.notice import Notice, Shape
from respond.models.report import LOOKS_LIKE, WAS_BLOCKED, Finding, Outcome, Person, Report, Span, VerdictKind
from respond.telling import tell_answer, tell_end
from tests.helpers.command import VICTIM
from tests.helpers.dug_in_story import USER_ID
from tests.helpers.incident_actions import INCIDENT, act, seed_with_incident
from tests.lab.running_lab import RunningLab

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
REPLIES = Replies(comment=False, tag=True, raise_severity=True, activate=True, close_benign=True)
WHO = Account(id=USER_ID, upn=VICTIM, display_name="Target User")
PERSON = Person(id=USER_ID, upn=VICTIM, display_name="Target User")


def report(verdict: VerdictKind, *findings: str) -> Report:
    told = tuple(Finding(id=name, weight=0, summary="seen beside it", evidence=()) for name in findings)
    return Report(
        case="DC-TEST",
        mode=Mode.LIVE,
        tenant="lab",
        user=PERSON,
        window=Span(start=NOW, end=NOW),
        verdict=verdict,
        score=0,
        headline="nothing",
        findings=told,
        outcome=Outcome.NO_ACTION,
    )


async def told(case: Case, *, answer: Report) -> None:
    """What becomes of the incident that asked about one user when the answer is there, as at the end of a delivery."""
    about = case.model_copy(update={"replies": REPLIES})
    seen = Sighting(path=Trigger.WEBHOOK, ref="d1", at=NOW, incident=INCIDENT)
    looked = Round(run="r1", user_id=USER_ID, since=NOW, first=NOW, now=NOW, sightings=(seen,))
    notice = Notice(shape=Shape.INCIDENT, incident=INCIDENT)
    delivery = Delivery(tenant="lab", key="d1", digest="x", path=Trigger.WEBHOOK, at=NOW, by="test", notice=notice)
    await tell_answer(about, looked, WHO, answer, "")
    await tell_end(about, delivery, [answer])


@pytest.mark.parametrize(
    ("verdict", "findings", "status"),
    [
        (VerdictKind.BENIGN, (), "Closed"),
        (VerdictKind.BENIGN, (LOOKS_LIKE,), "Active"),
        (VerdictKind.BENIGN, (WAS_BLOCKED,), "Active"),
        (VerdictKind.NO_ACTIVITY, (), "New"),
        (VerdictKind.NO_ACTIVITY, (LOOKS_LIKE,), "Active"),
        (VerdictKind.NO_ACTIVITY, (WAS_BLOCKED,), "Active"),
    ],
)
def test_an_incident_stays_open_where_something_else_was_seen(
    verdict: VerdictKind, findings: tuple[str, ...], status: str, lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    there = lab(seed_with_incident(tmp_path))
    act(told, answer=report(verdict, *findings))
    shown: Any = there.get("/_lab/incidents")[0]["incident"]["properties"]
    assert shown["status"] == status
