"""The seed's response with everything switched on: its lines, its figures, its trace."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from respond.errors import UsageError
from respond.models.report import Report
from respond.observe import traces
from respond.observe.listening import observing
from respond.observe.metrics import Metrics
from respond.session import open_session
from respond.settings import LabFault, shipped_config
from tests.helpers.command import VICTIM
from tests.lab.running_lab import RunningLab
from tests.observe.collector import Collector, collecting, said
from tests.observe.conftest import Lines
from tests.observe.test_metrics import figures

USER_ID = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
PERSONAL = re.compile(rb"target|contoso|" + USER_ID.encode() + rb"|Bearer|eyJ|SigninLogs|https?://", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_RETRY__FIRST_WAIT", "50ms")


async def responses(metrics: Metrics, *people: str) -> list[Report]:
    """One after the other, in one process."""
    with observing(metrics):
        async with open_session(shipped_config()) as session:
            return [await session.respond_to(who, since=None, dry_run=False) for who in people]


async def respond_once(metrics: Metrics) -> Report:
    (report,) = await responses(metrics, VICTIM)
    return report


async def test_a_response_is_one_line_an_action_and_one_for_its_end(
    lab: Callable[..., RunningLab], lines: Lines
) -> None:
    lab()
    report = await respond_once(Metrics())
    actions = [line["action"] for line in lines.of("action-done")]
    assert sorted(actions) == sorted([*set(actions), "find_devices"])  # once more after the revocation
    assert len(actions) > 8
    assert {"know_user", "hunt_device_code_signins", "revoke_sessions", "open_ticket", "close_run"} < set(actions)
    (end,) = lines.of("run-done")
    assert len(lines.all) == len(actions) + 1
    assert (end["case"], end["run"], end["outcome"]) == (report.case, report.run, "contained-verified")
    assert end["actions"] == {"revoke_sessions": "done", "open_ticket": "done"}
    assert {line["run"] for line in lines.all} == {report.run}
    (revoked,) = [line for line in lines.all if line.get("action") == "revoke_sessions"]
    assert revoked["case"] == report.case
    assert revoked["seconds"] > 0
    assert not re.search(r"Bearer|eyJ|https?://", lines.text)


async def test_a_response_is_counted_and_one_that_found_it_answered_is_not(lab: Callable[..., RunningLab]) -> None:
    lab()
    metrics = Metrics()
    first, again = await responses(metrics, VICTIM, VICTIM)
    found = figures(metrics)
    assert (first.repeat, again.repeat) == (False, True)
    assert found['respond_cases_total{outcome="contained-verified",verdict="malicious"}'] == 1
    assert found['respond_time_to_contain_seconds_count{path="command"}'] == 1
    assert found['respond_actions_total{action="revoke_sessions",status="done"}'] == 1
    assert found['respond_actions_total{action="revoke_sessions",status="unneeded"}'] == 1
    assert found['respond_action_seconds_count{action="know_user"}'] == 2
    assert found["respond_runs_in_progress"] == 0


@pytest.mark.soak
async def test_throttling_and_retries_are_told_apart_by_service(lab: Callable[..., RunningLab], lines: Lines) -> None:
    lab(
        faults=[
            LabFault(match="POST */revokeSignInSessions", status=429, retry_after="0.1"),
            LabFault(match="POST */query", contains="UrlClickEvents", status=503, retry_after="0"),
        ]
    )
    metrics = Metrics()
    await respond_once(metrics)
    found = figures(metrics)
    assert found['respond_throttled_total{service="graph"}'] == found['respond_retries_total{service="graph"}'] == 1
    assert found['respond_throttled_total{service="log-analytics"}'] == 0
    assert found['respond_retries_total{service="log-analytics"}'] == 1
    waits = {line["service"]: line for line in lines.of("action-waiting")}
    assert (waits["graph"]["action"], waits["graph"]["throttled"]) == ("revoke_sessions", True)
    assert waits["graph"]["seconds"] >= 0.1
    assert waits["log-analytics"]["throttled"] is False


async def test_a_write_that_failed_is_one_line_and_one_count(lab: Callable[..., RunningLab], lines: Lines) -> None:
    lab(withheld_permissions=("User.RevokeSessions.All",))
    metrics = Metrics()
    report = await respond_once(metrics)
    (failed,) = [line for line in lines.all if line.get("action") == "revoke_sessions"]
    assert (failed["event"], failed["level"], failed["status"]) == ("action-failed", "warning", "failed")
    assert "User.RevokeSessions.All" in failed["reason"]
    found = figures(metrics)
    assert found['respond_actions_total{action="revoke_sessions",status="failed"}'] == 1
    assert found[f'respond_cases_total{{outcome="{report.outcome}",verdict="malicious"}}'] == 1


async def test_a_run_that_failed_says_why_in_one_line(lab: Callable[..., RunningLab], lines: Lines) -> None:
    lab()
    metrics = Metrics()
    with pytest.raises(UsageError, match="nobody"):
        await responses(metrics, "nobody@contoso.com")
    (end,) = lines.of("run-failed")
    assert end["level"] == "error"
    assert end["error"].startswith("UsageError: [user]: no such user")
    assert figures(metrics)["respond_runs_in_progress"] == 0
    assert figures(metrics)['respond_actions_total{action="know_user",status="failed"}'] == 1


@pytest.mark.soak
async def test_a_gap_is_counted_by_its_table(lab: Callable[..., RunningLab], seed_variant: Callable[..., Path]) -> None:
    story = seed_variant(scenario=lambda scenario: scenario.update(absent_tables=["UrlClickEvents"]))
    (story / "UrlClickEvents.jsonl").unlink()
    lab(story)
    metrics = Metrics()
    report = await respond_once(metrics)
    assert {gap.source for gap in report.gaps} >= {"UrlClickEvents"}
    assert figures(metrics)['respond_gaps_total{source="UrlClickEvents"}'] >= 1


async def test_the_trace_is_a_run_with_its_actions_below_it_and_names_nobody(
    lab: Callable[..., RunningLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab()
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        stop = traces.configure()
        assert stop
        report = await respond_once(Metrics())
        stop()
    check_trace(collector, report)


def check_trace(collector: Collector, report: Report) -> None:
    spans = collector.spans
    run = spans.pop("device_code_phishing")
    assert said(run) == {
        "respond.case": report.case,
        "respond.verdict": "malicious",
        "respond.outcome": "contained-verified",
    }
    assert {"know_user", "match_threat_intel", "revoke_sessions", "open_ticket"} < set(spans)
    assert {span.parent_span_id for span in spans.values()} == {run.span_id}
    assert {span.trace_id for span in spans.values()} == {run.trace_id}
    assert said(spans["revoke_sessions"]) == {
        "respond.action": "revoke_sessions",
        "respond.case": report.case,
        "respond.status": "done",
    }
    assert not PERSONAL.search(collector.raw)
