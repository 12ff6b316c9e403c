"""What is written back to an incident: once, never less than others said, and never as an attacker would have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.comment_incident import LONGEST, comment_incident
from actions.read_incident import read_incident
from actions.tag_incident import tag_incident
from respond.errors import NotFound
from respond.models.incident import IncidentStatus, Severity
from respond.models.incidents import Classification
from respond.models.report import ActionStatus, Change
from tests.helpers.incident_actions import ENTRY, INCIDENT, NAME, act, entry, seed_with_incident
from tests.lab.running_lab import RunningLab

Tenant = Callable[..., RunningLab]


@pytest.fixture
def tenant(lab: Callable[..., RunningLab], tmp_path: Path) -> Tenant:
    return lambda *entries: lab(seed_with_incident(tmp_path, *entries))


def comments(there: RunningLab) -> list[str]:
    return [comment["properties"]["message"] for comment in there.get("/_lab/incidents")[0]["comments"]]


def shown(there: RunningLab) -> Any:
    return there.get("/_lab/incidents")[0]["incident"]["properties"]


def comment(stage: str = "verdict", text: str = "malicious", **more: Any) -> Change:
    return act(comment_incident, incident=more.pop("incident", INCIDENT), stage=stage, text=text, **more)


def tag(**given: Any) -> Change:
    return act(tag_incident, incident=INCIDENT, **given)


def test_each_stage_of_each_case_has_one_comment_however_the_incident_is_spelled(tenant: Tenant) -> None:
    there = tenant()
    assert comment().target == f"incident {NAME}"
    assert comment(incident=INCIDENT.upper()).status is ActionStatus.UNNEEDED
    assert comment(stage="contained", text="done").status is ActionStatus.DONE
    assert comment(case="DC-OTHER").status is ActionStatus.DONE
    assert comments(there) == ["malicious", "done", "malicious"]


def test_a_stage_that_has_changed_replaces_its_comment(tenant: Tenant) -> None:
    there = tenant()
    comment()
    changed = comment(text="benign after all")
    assert (changed.status, changed.verified) == (ActionStatus.DONE, True)
    assert comments(there) == ["benign after all"]


def test_what_an_attacker_wrote_is_shown_and_neither_followed_nor_rendered(tenant: Tenant) -> None:
    there = tenant()
    comment(text="<img src=x onerror=alert(1)> [login](https://evil.example/a)\nsecond line")
    (said,) = comments(there)
    assert said.count("<") == said.count("<br>") == 1
    assert "https" not in said
    assert "](" not in said


def test_a_comment_that_is_too_long_is_cut_and_says_so(tenant: Tenant) -> None:
    there = tenant()
    assert comment(text="* <x>\n" * 20_000).status is ActionStatus.DONE
    (said,) = comments(there)
    assert LONGEST - 20 < len(said) <= LONGEST
    assert "the ticket has the rest" in said
    assert comment(text="* <x>\n" * 20_000).status is ActionStatus.UNNEEDED


def test_a_full_incident_refuses_a_comment_in_words(tenant: Tenant) -> None:
    there = tenant(entry(additionalData={"commentsCount": 100}))
    refused = comment()
    assert refused.status is ActionStatus.REFUSED
    assert "100 comments" in refused.summary
    assert there.get("/_lab/writes") == []


@pytest.mark.parametrize("incident", ["", "/subscriptions/x", INCIDENT.replace(NAME, "..")])
def test_what_is_not_an_incident_fails_and_nothing_is_sent(incident: str, tenant: Tenant) -> None:
    there = tenant()
    for change in (comment(incident=incident), act(tag_incident, incident=incident, labels=("a",))):
        assert change.status is ActionStatus.FAILED
        assert "is not the id of an incident" in change.summary
    assert not [request for request in there.get("/_lab/requests") if request["path"].startswith("/subscriptions")]


def test_an_incident_that_is_gone_fails_in_words(tenant: Tenant) -> None:
    tenant()
    gone = INCIDENT.replace(NAME, "gone")
    for change in (comment(incident=gone), act(tag_incident, incident=gone, labels=("a",))):
        assert change.status is ActionStatus.FAILED
        assert "404" in change.summary
    with pytest.raises(NotFound):
        act(read_incident, incident=gone)


def test_labels_are_added_and_nothing_else_changes(tenant: Tenant) -> None:
    there = tenant()
    before = shown(there)
    change = tag(labels=("respond:malicious", "PILOT", "respond:malicious"))
    assert change.summary == "label respond:malicious; read back"
    after = shown(there)
    assert [label["labelName"] for label in after["labels"]] == ["pilot", "respond:malicious"]
    other = set(before) - {"labels", "lastModifiedTimeUtc"}
    assert {name: after[name] for name in other} == {name: before[name] for name in other}


@pytest.mark.parametrize(
    ("severity", "status"),
    [("Medium", "Active"), ("High", "Active"), ("High", "Closed")],
)
def test_severity_is_never_lowered_and_status_never_set_back(severity: str, status: str, tenant: Tenant) -> None:
    there = tenant(entry(severity=severity, status=status, classification="TruePositive"))
    change = tag(severity=Severity.LOW, status=IncidentStatus.ACTIVE)
    assert change.status is ActionStatus.UNNEEDED
    assert (shown(there)["severity"], shown(there)["status"]) == (severity, status)
    assert there.get("/_lab/writes") == []


def test_an_incident_is_closed_with_classification_reason_and_comment(tenant: Tenant) -> None:
    there = tenant()
    closing = {"classification": Classification.BENIGN_POSITIVE, "closing": "a rollout of IT"}
    change = tag(status=IncidentStatus.CLOSED, **closing)
    assert change.summary == "status New to Closed as BenignPositive; read back"
    found = shown(there)
    assert (found["status"], found["classification"]) == ("Closed", "BenignPositive")
    assert (found["classificationReason"], found["classificationComment"]) == (
        "SuspiciousButExpected",
        "a rollout of IT",
    )


def test_how_an_analyst_closed_it_stays(tenant: Tenant) -> None:
    there = tenant(entry(status="Closed", classification="FalsePositive", classificationReason="InaccurateData"))
    change = tag(status=IncidentStatus.CLOSED, classification=Classification.TRUE_POSITIVE)
    assert change.status is ActionStatus.UNNEEDED
    assert shown(there)["classification"] == "FalsePositive"


def test_an_incident_is_read_with_its_entities_and_alerts(tenant: Tenant) -> None:
    tenant()
    record = act(read_incident, dry_run=True, incident=INCIDENT)
    assert record.incident.number == 4711
    assert list(record.entities) == ENTRY["entities"]
    assert len(record.alerts) == 1
