"""The state database goes away, comes back, or is not there yet: the process waits, says so, and goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from respond.store.cases import Store
from tests.helpers import deliveries, victims
from tests.helpers.command import respond
from tests.helpers.postgres import Outage
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]

_QUICK = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "500ms"}


@pytest.fixture
def outage(pg_outage: Outage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outage:
    with psycopg.connect(pg_outage.uri("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE state")
    monkeypatch.setenv("RESPOND_STATE__URL", pg_outage.uri("state"))
    monkeypatch.setenv("RESPOND_STATE__DIR", str(tmp_path / "files"))
    return pg_outage


@pytest.fixture
def victim(lab: Start, tmp_path: Path) -> RunningLab:
    return lab(victims.write(tmp_path / "story", 1))


def told(service: Serving, event: str) -> list[dict[str, object]]:
    return [line for line in tuple(service.lines) if line["event"] == event]


def has_told(service: Serving, event: str, *loops: str) -> bool:
    return {*loops} <= {line["loop"] for line in told(service, event)}


@pytest.fixture
def worker() -> Iterator[Callable[[], Serving]]:
    started: list[Serving] = []

    def start() -> Serving:
        started.append(Serving("worker", env=_QUICK))
        return started[-1]

    yield start
    for one in started:
        if one.code is None:
            one.kill()


@pytest.mark.usefixtures("victim")
def test_a_service_and_a_worker_outlive_their_database(outage: Outage, worker: Callable[[], Serving]) -> None:
    with serving(**_QUICK) as service:
        beside = worker()
        beside.wait_for("working")
        outage.begin()
        for one in (service, beside):
            until(partial(has_told, one, "loop-failed", "follow", "take-over"), 30)
        answer = service.get("/readyz")
        assert answer.status_code == 503
        assert "the state database" in answer.json()["detail"]
        assert service.get("/healthz").status_code == 200
        assert 'respond_loop_failing{loop="follow"} 1.0' in service.get("/metrics").text
        assert service.post(deliveries.body(0)).status_code == 503
        time.sleep(3)  # some more turns
        failed = told(service, "loop-failed")
        assert len(failed) == len({line["loop"] for line in failed}), "each cause is told once"
        assert not [line for line in failed if line["level"] != "warning"]
        outage.end()
        for one in (service, beside):
            until(partial(has_told, one, "loop-recovered", "follow"), 60)
        until(
            lambda: service.get("/readyz").json() == {"status": "ready", "mode": "auto"},
            90,
            lambda: service.get("/readyz").text,
        )
        assert service.post(deliveries.body(0)).status_code == 202
        service.answers(1, 90)
        assert beside.code is None


@pytest.mark.usefixtures("victim")
def test_a_service_waits_for_its_database_as_long_as_it_takes(outage: Outage) -> None:
    outage.begin()
    service = Serving("serve", "--port", "0", env=_QUICK)
    try:
        line = service.wait_for("waiting-for-state")
        assert "the state database is not reachable" in line["reason"]
        service.listens()
        assert service.get("/healthz").status_code == 200
        answer = service.get("/readyz")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert "starting: the state database is not reachable" in answer.json()["detail"]
        assert service.post(deliveries.body(0)).status_code == 503
        outage.end()
        service.wait_for("state-answers")
        service.listens()
        assert service.get("/readyz").status_code == 200
        assert service.post(deliveries.body(0)).status_code == 202
        service.answers(1)
        assert len(told(service, "waiting-for-state")) == 1
    finally:
        service.kill()


@pytest.mark.usefixtures("victim")
@pytest.mark.soak
def test_sigterm_ends_the_wait(outage: Outage, worker: Callable[[], Serving]) -> None:
    outage.begin()
    waiting = worker()
    waiting.wait_for("waiting-for-state")
    waiting.tell(signal.SIGTERM)
    assert waiting.ended() == 0
    outage.end()


@pytest.mark.parametrize(
    ("change", "code", "line"),
    [
        (("/state?", "/nosuch?"), 2, "state.url: the database server refuses"),
        (("postgres:@", "nobody:@"), 2, "state.url: the database server refuses"),
        (("host=", "host=/nowhere"), 1, "the state database is not reachable"),
    ],
    ids=["no-such-database", "no-such-user", "no-server"],
)
def test_only_a_wrong_setting_is_exit_2(
    outage: Outage, change: tuple[str, str], code: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_STATE__URL", outage.uri("state").replace("postgres@", "postgres:@").replace(*change))
    answer = respond("cases")
    assert (answer.code, answer.err.startswith(f"respond: {line}")) == (code, True), answer.err


@pytest.mark.usefixtures("victim")
@pytest.mark.soak
def test_a_database_that_takes_no_writes_at_the_start_is_waited_for_in_peace(outage: Outage) -> None:
    Store(outage.uri("state")).close()  # our tables, which can be read; the engine's are not there yet
    with psycopg.connect(outage.uri("state"), autocommit=True) as connection:
        connection.execute("ALTER DATABASE state SET default_transaction_read_only = on")
        service = Serving("serve", "--port", "0", env=_QUICK)
        try:
            service.wait_for("waiting-for-state")
            time.sleep(5)
            assert service.code is None
            assert len(told(service, "waiting-for-state")) == 1, f"{service.lines}"
            assert "read-only" in str(told(service, "waiting-for-state"))
            connection.execute("ALTER DATABASE state RESET default_transaction_read_only")
            until(lambda: len(told(service, "listening")) > 0 and bool(told(service, "starting")), 30)
            service.listens()
            until(lambda: service.get("/readyz").status_code == 200, 30)
        finally:
            service.kill()


@pytest.mark.usefixtures("victim")
@pytest.mark.soak
def test_a_database_that_hangs_keeps_neither_figures_nor_the_end_back(outage: Outage) -> None:
    service = Serving("serve", "--port", "0", env=_QUICK | {"RESPOND_SERVE__GRACE": "1s"})
    try:
        service.listens()
        until(lambda: service.get("/readyz").status_code == 200, 30)
        with outage.hanging():
            assert service.get("/readyz").status_code == 503
            for _ in range(9):  # more than the event loop has threads
                found = service.get("/metrics")
                assert found.status_code == 200
                assert "respond_loop_failing" in found.text
            assert service.get("/healthz").status_code == 200
            assert service.stop(30) == 0
    finally:
        if service.code is None:
            service.kill()
