"""What a team sees of the service while it runs, and while what it stands on does not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from respond.observe.metrics import CONTENT_TYPE
from respond.settings import LabFault
from tests.helpers import deliveries, victims
from tests.helpers.guarded_service import Guarded, guarded
from tests.helpers.outcome import left
from tests.helpers.patience import patiently
from tests.helpers.postgres import Uri
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab
from tests.observe.collector import Collector, collecting

Start = Callable[..., RunningLab]
QUIET = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "500ms"}


pytestmark = pytest.mark.xdist_group(name="serving-operate")


@dataclass(frozen=True)
class Answered:
    """A service, and what it told when it had answered one incident.

    Attributes:
        figures: every sample that Prometheus would have read, by its name and labels.
        lines: its log.
    """

    door: Guarded
    figures: dict[str, float]
    lines: list[dict[str, Any]]

    @property
    def service(self) -> Serving:
        return self.door.service


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Answered]:
    """One that has answered an incident, in a tenant that throttles and lacks a table."""
    place = tmp_path_factory.mktemp("operate")
    story = victims.write(place / "story", 2, [deliveries.entry(0)])
    (story / "scenario.json").write_text(
        json.dumps(json.loads((story / "scenario.json").read_text()) | {"absent_tables": ["UrlClickEvents"]})
    )
    faults = (LabFault(match="POST */revokeSignInSessions", status=429, retry_after="0"),)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with guarded(place, data=story, lab={"faults": faults}, RESPOND_SERVE__BEAT="500ms", **env) as running:
        assert running.service.post(b"{", **running.bearer).status_code == 400
        for _ in range(2):
            body = deliveries.body(0, event="5a5a5a5a-0000-4000-8000-00000000e001")
            assert running.service.post(body, **running.bearer).status_code == 202
        running.service.answers(1)
        yield Answered(running, figures(running.service), list(running.service.lines))


def figures(service: Serving) -> dict[str, float]:
    """Every sample that Prometheus would read, by its name and labels."""
    answer = service.get("/metrics")
    assert answer.headers["content-type"] == CONTENT_TYPE
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_it_says_that_it_lives_and_that_it_is_ready(answered: Answered) -> None:
    assert answered.service.get("/healthz").json() == {"status": "ok"}
    assert answered.service.get("/readyz").json() == {"status": "ready", "mode": "auto"}


def test_its_figures_tell_what_was_answered_and_what_it_took(answered: Answered) -> None:
    found = answered.figures
    assert found["respond_cases_total outcome=contained-verified verdict=malicious"] == 1
    assert found["respond_time_to_contain_seconds_count path=webhook"] == 1
    assert found["respond_time_to_contain_seconds_bucket le=+Inf path=webhook"] == 1
    assert found["respond_time_to_contain_seconds_bucket le=0.1 path=webhook"] == 0
    assert 0 < found["respond_time_to_contain_seconds_sum path=webhook"] < patiently(60)
    assert found["respond_retries_total service=graph"] == found["respond_throttled_total service=graph"] == 1
    assert found["respond_gaps_total source=UrlClickEvents"] == 1
    assert found["respond_queue_depth state=answered"] == 1
    assert found["respond_runs_in_progress"] == 0
    assert found["respond_deliveries_total answer=accepted shape=incident"] == 1
    assert found["respond_deliveries_total answer=duplicate shape=incident"] == 1
    assert found["respond_deliveries_total answer=malformed shape=unknown"] == 1
    assert found["respond_actions_total action=revoke_sessions status=done"] == 1


def test_its_log_is_json_and_holds_no_name_and_no_secret(answered: Answered) -> None:
    lines = answered.lines
    assert all({"ts", "level", "event"} <= set(line) for line in lines), lines
    text = json.dumps(lines)
    assert not re.search(r"eyJ|Bearer|@contoso\.com|victim0|Victim|https?://", text)
    (done,) = [line for line in lines if line["event"] == "run-done"]
    assert (done["user"], done["outcome"]) == (victims.user_id(0), "contained-verified")
    told = [line["event"] for line in lines if line["event"].startswith("delivery")]
    assert told == ["delivery-refused", "delivery", "delivery"]


def test_its_traces_arrive_and_name_nobody(answered: Answered, collector: Collector) -> None:
    del answered
    until(lambda: b"device_code_phishing" in collector.raw, 15)
    assert set(collector.paths) == {"/v1/traces"}
    assert not re.search(rb"contoso|victim|Bearer|eyJ|https?://", collector.raw)
    assert b"contained-verified" in collector.raw


def test_a_delivery_goes_on_with_the_trace_that_it_came_with(answered: Answered, collector: Collector) -> None:
    trace = "5a" * 16
    since = len(collector.requests)
    body = deliveries.body(1)
    assert (
        answered.service.post(body, traceparent=f"00-{trace}-{'5b' * 8}-01", **answered.door.bearer).status_code == 202
    )

    def arrived() -> bool:
        return any(bytes.fromhex(trace) in request.SerializeToString() for request in collector.requests[since:])

    until(arrived, 30)


def test_a_state_file_that_is_taken_away_is_told_and_nothing_is_accepted_into_it(lab: Start, tmp_path: Path) -> None:
    lab(victims.write(tmp_path / "story", 1))
    state = tmp_path / "state" / "respond.db"
    with serving(**QUIET) as service:
        assert service.get("/readyz").status_code == 200
        state.rename(state.with_suffix(".away"))
        check_unready(service)
        state.with_suffix(".away").rename(state)
        assert service.get("/readyz").status_code == 200
        assert service.post(deliveries.body(0)).status_code == 202


def check_unready(service: Serving) -> None:
    for answer in (service.get("/readyz"), service.post(deliveries.body(0))):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "30"
    assert service.get("/healthz").status_code == 200
    assert service.get("/metrics").status_code == 200


def test_a_database_that_is_away_for_a_while_is_waited_for(lab: Start, tmp_path: Path, pg: Uri, pg_url: str) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1, [deliveries.entry(0)]))
    name = urlsplit(pg_url).path.strip("/")
    with (
        psycopg.connect(pg("postgres"), autocommit=True) as admin,
        serving(**QUIET, RESPOND_STATE__URL=pg_url) as service,
    ):
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        check_unready(service)
        time.sleep(2)  # the watch goes round meanwhile
        check_unready(service)
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        until(lambda: service.get("/readyz").status_code == 200, 30)
        assert service.post(deliveries.body(0)).status_code == 202
        service.answers(1)
        assert not [line for line in service.lines if line["event"] in ("defect", "no-json")]
        assert service.stop() == 0
    assert left(pg_url, tenant).revoked == {victims.user_id(0): 1}


@pytest.mark.soak
@pytest.mark.parametrize(("places", "senders"), [(1, 3), pytest.param(3, 8, marks=pytest.mark.soak)])
def test_who_comes_when_too_many_wait_is_sent_away_and_what_was_accepted_is_answered(
    places: int, senders: int, lab: Start, tmp_path: Path
) -> None:
    tenant = lab(victims.write(tmp_path / "story", senders), logs_latency=timedelta(milliseconds=300))
    few = {"RESPOND_SERVE__MOST_WAITING": str(places), "RESPOND_SERVE__RUNS_AT_ONCE": "1"}
    accepted: set[int] = set()
    with serving(**QUIET, **few) as service:

        def deliver(number: int) -> Any:
            answer = service.post(deliveries.body(number))
            if answer.status_code == 202:
                accepted.add(number)
            return answer

        answers = [deliver(number) for number in range(senders)]
        refused = senders - places
        assert [answer.status_code for answer in answers] == [202] * places + [429] * refused
        assert {answer.headers["retry-after"] for answer in answers[places:]} == {"30"}
        assert answers[-1].json()["status"] == 429
        until(lambda: [line.get("status") for line in service.lines].count(429) == refused, 5)
        service.answers(places)
        until(lambda: deliver(senders - 1).status_code == 202, 10)
        service.answers(places + 1)
        assert service.stop() == 0
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    assert found.revoked == {victims.user_id(number): 1 for number in accepted}
    assert len(found.tickets) == len(accepted) == places + 1
