"""Every shipped scenario: each change that the logs tie to the attacker ends in one fate, and what is open is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.models.persistence import Fate
from respond.models.report import ActionStatus, Outcome, Report
from tests.helpers.readers import readers, words
from tests.helpers.shipped_stories import ShippedStories
from tests.helpers.shipped_stories import shipped as _shipped

shipped = _shipped
SPEAKING = {
    ("broker-prt", "device"),
    ("consent-and-app", "an application with a secret"),
    ("dug-in", "device, method, consent and rule"),
    ("small-tenant-old-feed", "no log of mailboxes"),
}
"""Stories that have between them every kind of change that any has; why each is told by day."""
HANDLED = {ActionStatus.DONE, ActionStatus.UNNEEDED}
CHANGES = (
    "device",
    "security info",
    "consent to application",
    "permission grant",
    "add application",
    "service principal",
    "certificates and secrets",
    "to role",
    "inboxrule",
    "set-mailbox",
)
"""What an operation's name holds that lets somebody stay, as an analyst would search the logs of the stories."""


def told() -> Iterator[Any]:
    by_day = {name for name, _ in SPEAKING}
    for name, _, expect in scenario.shipped():
        for upn in expect:
            marks = [pytest.mark.xdist_group(name), *([] if name in by_day else [pytest.mark.soak])]
            yield pytest.param(name, upn, id=f"{name}-{upn.partition('@')[0]}", marks=marks)


def attackers_rows(story: str, report: Report) -> set[str]:
    """Ids of the changes that were made from where the token was redeemed, since the code was approved.

    Read from the story's files, whose times are those of the story, not through the product.
    """
    place, user = scenario.find(story), (report.user.id.lower(), report.user.upn.lower())
    own = {leg.ip for leg in report.legs if leg.leg == "approving"}
    places = {leg.ip for leg in report.legs if leg.leg == "redeeming"} - own
    began = min((moment for moment in _approvals(place, user[1])), default=None)
    found = set()
    for table, name, number in (("AuditLogs", "OperationName", "Id"), ("OfficeActivity", "Operation", "OfficeId")):
        for row in _rows(place / f"{table}.jsonl"):
            by = row.get("InitiatedBy", {}).get("user", {})
            who = str(by.get("id") or row.get("UserId")).lower()
            ip = str(by.get("ipAddress") or row.get("ClientIP", "")).partition(":")[0]
            counts = any(part in row[name].lower() for part in CHANGES)
            late = began is not None and _at(row) >= began
            if counts and who in user and ip in places and late:
                found.add(row[number])
    return found


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        yield from map(json.loads, file.read_text().splitlines())


def _at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row.get("ActivityDateTime") or row["TimeGenerated"])


def _approvals(place: Path, upn: str) -> Iterator[datetime]:
    for row in _rows(place / "SigninLogs.jsonl"):
        if row.get("UserPrincipalName", "").lower() == upn and row.get("AuthenticationProtocol") == "deviceCode":
            yield _at(row)


@pytest.mark.parametrize(("story", "upn"), [*told()])
def test_each_change_of_the_attacker_has_one_fate_and_every_reader_is_told(
    story: str, upn: str, shipped: ShippedStories, tmp_path: Path
) -> None:
    report = Report.model_validate(shipped.answer(story, upn).json)
    entries = [source.id for one in report.persistence for source in one.evidence]
    assert len(entries) == len(set(entries)), "a change has two fates"
    if report.verdict not in ("benign", "no-activity"):
        assert attackers_rows(story, report) <= set(entries), "a change has no fate"
    actions = {(one.name, one.step.object): one for one in report.actions if one.step}
    for one in report.persistence:
        about = [actions[ref.name, ref.object] for ref in one.actions]
        assert bool(about) == (one.fate is Fate.ACTION) or one.fate is Fate.TASK
        if report.outcome is Outcome.CONTAINED_VERIFIED:
            assert one.fate is not Fate.TASK
            assert all(change.status in HANDLED and change.verified for change in about)
        if one.fate is Fate.TASK:
            assert one.says in report.tasks
    said = readers(report, shipped.ticket(story, upn), tmp_path)
    missed = [(name, task) for name, text in said.items() for task in report.tasks if words(task) not in text]
    assert missed == []


@pytest.mark.xdist_group("dug-in")
def test_the_stories_told_by_day_have_changes_to_account_for(shipped: ShippedStories) -> None:
    """The rule above would hold for stories in which nothing was read."""
    report = Report.model_validate(shipped.answer("dug-in", "ebba.sandqvist@contoso.com").json)
    assert {one.kind for one in report.persistence} == {"device", "method", "consent", "mail-rule"}
    assert len(attackers_rows("dug-in", report)) >= 4
