"""Figures: what Prometheus reads, and that no label can grow without end."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from respond import __version__
from respond.errors import Service
from respond.models.base import Gap
from respond.models.case import Mode
from respond.models.intake import Trigger
from respond.models.notice import Shape
from respond.models.report import Outcome, Person, Report, Span, Timings, VerdictKind
from respond.observe.metrics import CONTENT_TYPE, WRITE_BACKS, Answer, Metrics, Round, source_label
from tests.observe.conftest import Lines

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def report(**more: Any) -> Report:
    usual: dict[str, Any] = {
        "case": "DC-ABCDEF",
        "mode": Mode.LIVE,
        "tenant": "lab",
        "user": Person(id="7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11", upn="target.user@contoso.com", display_name="T"),
        "window": Span(start=NOW, end=NOW),
        "verdict": VerdictKind.MALICIOUS,
        "score": 97,
        "headline": "",
        "outcome": Outcome.CONTAINED_VERIFIED,
        "timings_ms": Timings(contained=1400),
    }
    return Report(**(usual | more))


def figures(metrics: Metrics) -> dict[str, float]:
    """`name{label="value"}` -> value, as a scraper reads them."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_report_counts_as_a_case_by_verdict_and_outcome_with_its_time_to_contain_and_gaps() -> None:
    metrics = Metrics()
    gaps = (Gap(source="UrlClickEvents", reason="x"), Gap(source="SigninLogs (history)", reason="y"))
    metrics.report_done(report(gaps=gaps), Trigger.WEBHOOK)
    found = figures(metrics)
    assert found['respond_cases_total{outcome="contained-verified",verdict="malicious"}'] == 1
    assert found['respond_time_to_contain_seconds_sum{path="webhook"}'] == pytest.approx(1.4)
    assert found['respond_time_to_contain_seconds_bucket{le="1.0",path="webhook"}'] == 0
    assert found['respond_time_to_contain_seconds_bucket{le="2.0",path="webhook"}'] == 1
    assert found['respond_gaps_total{source="UrlClickEvents"}'] == 1
    assert found['respond_gaps_total{source="SigninLogs"}'] == 1


def test_a_run_that_found_everything_answered_is_no_new_case() -> None:
    metrics = Metrics()
    metrics.report_done(report(repeat=True), Trigger.COMMAND)
    assert not [name for name, value in figures(metrics).items() if name.startswith("respond_cases_total") and value]


def test_what_was_not_contained_has_no_time_to_contain() -> None:
    metrics = Metrics()
    metrics.report_done(report(outcome=Outcome.NOT_CONTAINED, timings_ms=Timings()), Trigger.SCHEDULE)
    assert figures(metrics)['respond_time_to_contain_seconds_count{path="schedule"}'] == 0


def test_series_are_there_before_their_first_event_so_that_a_rate_sees_it() -> None:
    found = figures(Metrics())
    assert found['respond_cases_total{outcome="not-contained",verdict="malicious"}'] == 0
    assert found['respond_throttled_total{service="graph"}'] == 0
    assert found['respond_deliveries_total{answer="unauthorized",shape="incident"}'] == 0
    assert found['respond_schedule_rounds_total{result="failed"}'] == 0
    assert found[f'respond_build_info{{version="{__version__}"}}'] == 1


def test_a_comment_or_tag_that_sentinel_refused_is_counted() -> None:
    metrics = Metrics()
    written, refused = (
        [f'respond_write_backs_total{{action="{action}",result="{result}"}}' for action in WRITE_BACKS]
        for result in ("written", "refused")
    )
    assert [figures(metrics)[name] for name in (*written, *refused)] == [0, 0, 0, 0]
    for action, status in (("comment_incident", "failed"), ("tag_incident", "done"), ("tag_incident", "unneeded")):
        metrics.action_done(action, status, 0.1)
    metrics.action_done("revoke_sessions", "failed", 0.1)
    found = figures(metrics)
    assert [found[name] for name in (*written, *refused)] == [0, 2, 1, 0]


def test_runs_deliveries_rounds_takeovers_and_retries_are_counted() -> None:
    metrics = Metrics()
    metrics.run_began()
    metrics.run_began()
    metrics.run_ended()
    metrics.delivery(Shape.ALERT, Answer.ACCEPTED, 0.004)
    metrics.delivery(None, Answer.TOO_LARGE, 9.0)
    metrics.round_done(Round.FAILED)
    assert figures(metrics)["respond_schedule_last_success_timestamp_seconds"] == 0
    metrics.round_done(Round.DONE)
    metrics.took_over(2)
    metrics.retried(Service.GRAPH, throttled=True)
    metrics.retried(None, throttled=False)
    found = figures(metrics)
    assert found["respond_runs_in_progress"] == 1
    assert found['respond_deliveries_total{answer="accepted",shape="alert"}'] == 1
    assert found['respond_deliveries_total{answer="too-large",shape="unknown"}'] == 1
    assert found["respond_delivery_seconds_count"] == 1
    assert abs(found["respond_schedule_last_success_timestamp_seconds"] - time.time()) < 10
    assert found["respond_takeovers_total"] == 2
    assert found['respond_retries_total{service="graph"}'] == found['respond_throttled_total{service="graph"}'] == 1
    assert found['respond_retries_total{service="other"}'] == 1
    assert found['respond_throttled_total{service="other"}'] == 0


def test_the_queue_is_read_at_each_scrape_and_not_before() -> None:
    metrics, reads = Metrics(), [0]

    def depth() -> dict[str, int]:
        reads[0] += 1
        return {"waiting": reads[0], "running": 0}

    metrics.observe_queue(depth)
    assert reads == [0]
    assert [figures(metrics)['respond_queue_depth{state="waiting"}'] for _ in range(2)] == [1, 2]


def test_a_database_that_hangs_keeps_no_other_figure_back_and_is_asked_once() -> None:
    metrics, reads, over = Metrics(), [0], threading.Event()

    def depth() -> dict[str, int]:
        reads[0] += 1
        over.wait(60)
        return {"waiting": 5}

    metrics.observe_queue(depth)
    for _ in range(2):
        found = figures(metrics)
        assert "respond_runs_in_progress" in found
        assert not [name for name in found if name.startswith("respond_queue_depth{")]
    assert reads == [1]
    over.set()
    assert figures(metrics)['respond_queue_depth{state="waiting"}'] == 5


def test_a_queue_that_cannot_be_read_takes_no_other_figure_with_it(lines: Lines) -> None:
    metrics = Metrics()

    def depth() -> dict[str, int]:
        raise OSError("the database is down at postgresql://u:s3cr3t@db.example.com")

    metrics.observe_queue(depth)
    found = figures(metrics)
    assert "respond_runs_in_progress" in found
    assert not [name for name in found if name.startswith("respond_queue_depth{")]
    assert (lines.last["event"], lines.last["level"]) == ("queue-unread", "warning")
    assert "s3cr3t" not in lines.text


@settings(deadline=None)
@given(sources=st.lists(st.text(), max_size=20), actions=st.lists(st.text(), max_size=20))
def test_nothing_from_outside_becomes_a_label(sources: list[str], actions: list[str]) -> None:
    metrics = Metrics()
    for source in sources:
        assert source_label(f"zz{source}") == "other"
    for action in (*actions, *map(str, range(100))):
        metrics.action_done(action, f"zz{action}", 0.1)
    counted = [name for name in figures(metrics) if name.startswith("respond_actions_total")]
    assert len(counted) <= 65
    assert all('status="other"' in name for name in counted)


def test_two_services_in_one_process_do_not_meet() -> None:
    first, second = Metrics(), Metrics()
    first.took_over()
    assert figures(second)["respond_takeovers_total"] == 0


def test_the_content_type_is_the_text_format_of_prometheus() -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


def test_waits_for_a_turn_and_endpoints_that_are_not_asked_are_told_by_service() -> None:
    metrics = Metrics()
    metrics.observe_breakers(lambda: {Service.GRAPH: 0, Service.LOGS: 2})
    metrics.waited_for_turn(Service.LOGS, 0.2)
    told = figures(metrics)
    assert told['respond_breaker_open{service="log-analytics"}'] == 2
    assert told['respond_breaker_open{service="graph"}'] == 0
    assert told['respond_pace_wait_seconds_count{service="log-analytics"}'] == 1
    assert told['respond_pace_wait_seconds_count{service="graph"}'] == 0
