"""The page, on the terminal and as HTML, and the comment: what is left to do is there, and no word is too green."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actions.comment_incident import LONGEST
from respond.defang import as_comment
from respond.models.case import Mode
from respond.models.evidence import FootholdKind
from respond.models.ladder import Rung, Step
from respond.models.persistence import Accounted, Fate
from respond.models.report import ActionStatus, Change, Finding, Outcome, Person, Report, Span, VerdictKind
from respond.telling import answer_text
from tests.helpers.readers import readers, words

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
INCIDENT = "incident 73e01a99"
REVOKED = Change(
    name="revoke_sessions",
    status=ActionStatus.DONE,
    target="ann@contoso.com",
    summary="cut-off moved and read back",
    verified=True,
    contains=True,
)


def report(**more: Any) -> Report:
    usual: dict[str, Any] = {
        "case": "DC-ABCDEF",
        "mode": Mode.LIVE,
        "tenant": "lab",
        "user": Person(id="7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11", upn="ann@contoso.com", display_name="Ann"),
        "window": Span(start=NOW, end=NOW),
        "verdict": VerdictKind.MALICIOUS,
        "score": 97,
        "headline": "redeemed elsewhere",
        "actions": (REVOKED,),
        "outcome": Outcome.CONTAINED_VERIFIED,
    }
    return Report(**(usual | more))


def said(folder: Path, **more: Any) -> list[str]:
    """What is on both pages."""
    shown = readers(report(**more), "", folder)
    return [shown["terminal"], shown["HTML"]]


def write_back(status: ActionStatus, *, verified: bool | None = None) -> Change:
    return Change(
        name="comment_incident", status=status, target=INCIDENT, summary="Sentinel says 403", verified=verified
    )


@pytest.mark.parametrize(
    ("change", "is_lost"),
    [
        (write_back(ActionStatus.FAILED), True),
        (write_back(ActionStatus.REFUSED), True),
        (write_back(ActionStatus.DONE, verified=False), True),
        (write_back(ActionStatus.DONE, verified=True), False),
        (write_back(ActionStatus.UNNEEDED), False),
    ],
    ids=["failed", "refused", "not read back", "written", "there already"],
)
def test_what_sentinel_does_not_show_is_on_the_page(change: Change, is_lost: bool, tmp_path: Path) -> None:
    for page in said(tmp_path, write_backs=(change,)):
        assert (words("the incident does not show this answer") in page) is is_lost
        assert (words(INCIDENT) in page) is is_lost


def test_every_task_is_on_the_page_however_long(tmp_path: Path) -> None:
    tasks = ("look at the phone of Ann " + "and at another one " * 20, "New-InboxRule '..': is it hidden?")
    for page in said(tmp_path, tasks=tasks, outcome=Outcome.CONTAINED_UNVERIFIED):
        assert all(words(task) in page for task in tasks)
        assert words("not verified") in page


LEFT = Accounted(
    kind=FootholdKind.GUEST, what="Invite external user", name="", at=NOW, ip="", fate=Fate.TASK, says="find out"
)


@pytest.mark.parametrize(
    ("outcome", "repeat", "told", "never"),
    [
        (Outcome.CONTAINED_UNVERIFIED, False, "do what is left by hand", "look again in some minutes"),
        (Outcome.CONTAINED_UNVERIFIED, True, "what was left by hand still is", "nothing was left to do"),
        (Outcome.AWAITING_APPROVAL, False, "what is left by hand is not done", "the rest is done"),
    ],
    ids=["at once", "again", "beside a question"],
)
def test_while_a_person_has_something_to_do_the_rest_is_not_done(
    outcome: Outcome, repeat: bool, told: str, never: str, tmp_path: Path
) -> None:
    actions = (REVOKED.model_copy(update={"step": Step(rung=Rung.REVOKE_SESSIONS, object="a", label="a", why="")}),)
    usual: dict[str, Any] = {"outcome": outcome, "repeat": repeat, "actions": actions}
    for page in said(tmp_path, persistence=(LEFT,), **usual):
        assert words(told) in page
        assert words(never) not in page
    for page in said(tmp_path, **usual):
        assert words(never) in page or (repeat and words(told) not in page)


@pytest.mark.parametrize(
    ("confirmed_at", "is_final"), [(None, False), (NOW, True)], ids=["at once", "at the last look"]
)
def test_verified_is_a_word_of_the_last_look(confirmed_at: datetime | None, is_final: bool, tmp_path: Path) -> None:
    for page in said(tmp_path, confirmed_at=confirmed_at):
        assert ("verified" in page) is is_final
        assert words("cut-off moved and read back") in page


def test_a_comment_that_is_cut_still_says_what_to_do() -> None:
    findings = tuple(Finding(id=f"finding-{n}", weight=1, summary="a long story " * 50) for n in range(100))
    told = as_comment(
        answer_text(report(findings=findings, tasks=("look at the phone",))), most=LONGEST, cut="cut here"
    )
    assert len(told) <= LONGEST
    assert "look at the phone" in told
    assert told.endswith("cut here")
