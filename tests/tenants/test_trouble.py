"""One tenant's trouble is its own: the other is answered as if nothing were."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from respond.serving.passing import MOST
from tests.helpers import dug_in_story, postgres, victims
from tests.helpers.command import ROOT, respond
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, until
from tests.helpers.tenants import NAMES, Several, body, children_of, several, write_config

HOUSE = pytest.mark.xdist_group(name="tenants-house")


def is_taken(running: Several, name: str, number: int, *, guarded: bool = True) -> None:
    signed_by = name if guarded else ""
    assert running.deliver(body(name, number, status="Closed"), signed_by=signed_by).status_code == 202


def runs_end(running: Several, name: str, count: int) -> None:
    """Wait until so many have."""
    until(lambda: len(running.said_of(name, "run-done")) >= count, 40)


@HOUSE
def test_a_killed_process_costs_its_tenant_a_moment_and_the_other_nothing(house: Several) -> None:
    killed, restarts = house.pid("alpha"), restarted(house, "alpha")
    os.kill(killed, signal.SIGKILL)
    until(lambda: house.state("alpha") != "ready", 10)
    answer = house.deliver(body("alpha", 6), signed_by="alpha")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "alpha" not in answer.text
    is_taken(house, "beta", 6)
    assert house.front.get("/readyz").json()["status"] == "partly-ready"
    assert house.front.get("/readyz").status_code == 200
    house.becomes("alpha", "ready", 60)
    assert house.pid("alpha") != killed
    is_taken(house, "alpha", 6)
    assert restarted(house, "alpha") == restarts + 1


def restarted(running: Several, name: str) -> float:
    """How often a tenant's process was started again."""
    head = f'respond_tenant_restarts_total{{tenant="{name}"}} '
    (line,) = [line for line in running.front.get("/metrics").text.splitlines() if line.startswith(head)]
    return float(line.removeprefix(head))


@HOUSE
@pytest.mark.soak
def test_a_hung_process_holds_no_more_than_its_own_senders(house: Several) -> None:
    """More than the front holds for it wait, while others come and go."""
    hung = house.pid("alpha")
    os.kill(hung, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(MOST + 10) as pool:
            asked = [pool.submit(house.deliver, body("alpha", 7, status="Closed"), "alpha") for _ in range(MOST + 10)]
            until(lambda: sum(one.done() for one in asked) >= 10, 25)
            is_taken(house, "beta", 7)
            assert house.deliver(body("alpha", 8), signed_by="alpha").status_code == 503
            assert not all(one.done() for one in asked)
            house.becomes("alpha", "silent")
            assert 'respond_runs_in_progress{tenant="beta"}' in house.front.get("/metrics").text
            is_taken(house, "beta", 8)
            os.kill(hung, signal.SIGCONT)
            codes = [one.result().status_code for one in asked]
        assert codes.count(503) >= 10
        assert set(codes) <= {202, 503}
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was given up, on a machine with much else to do
            os.kill(hung, signal.SIGCONT)
    house.becomes("alpha", "ready", 60)


@pytest.mark.soak
def test_a_limit_counts_its_own_tenant_alone(tmp_path: Path) -> None:
    """Each may contain one in an hour: the second of one waits for a person, and the first of the other does not."""
    (tmp_path / "conf").mkdir()
    limited = dug_in_story.policy(tmp_path, limits={"per_run": 10, "per_hour": 1, "share_at_least": 1000})
    (tmp_path / "conf" / "ladder.toml").write_text((limited / "ladder.toml").read_text())
    with several(tmp_path) as running:
        for number in range(2):
            assert running.deliver(body("alpha", number)).status_code == 202
            runs_end(running, "alpha", number + 1)
        assert running.deliver(body("beta", 0)).status_code == 202
        running.contains("beta", 0)
        found = {name: running.left(name) for name in NAMES}
        assert found["alpha"].revoked == found["beta"].revoked == {victims.user_id(0): 1}
        waits = {report.user.id for report in found["alpha"].reports if report.outcome == "awaiting-approval"}
        assert victims.user_id(1) in waits
        assert not [report for report in found["beta"].reports if report.outcome == "awaiting-approval"]


@pytest.mark.soak
def test_a_tenant_that_does_not_answer_delays_no_other_and_all_end_in_order(tmp_path: Path) -> None:
    with several(tmp_path) as running:
        running.labs.end("alpha")
        assert running.deliver(body("alpha", 0)).status_code == 202
        assert running.deliver(body("beta", 0)).status_code == 202
        running.contains("beta", 0)
        assert not running.said_of("alpha", "run-done")
        pids = list(children_of(running.front.pid))
        assert len(pids) == 2
        assert running.front.stop() == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        events = [(line.get("tenant", ""), line["event"]) for line in running.front.lines]
        assert {event for event in events if event[1] == "stopped"} == {("alpha", "stopped"), ("beta", "stopped")} | {
            ("", "stopped")
        }
        assert events[-1] == ("", "stopped")


@pytest.mark.soak
def test_no_process_outlives_its_front(tmp_path: Path) -> None:
    with several(tmp_path, ready=()) as running:
        until(lambda: len(children_of(running.front.pid)) == 2, 20)
        pids = list(children_of(running.front.pid))
        running.front.kill()
        until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], 60)


@pytest.mark.soak
def test_a_tenant_without_its_database_is_down_alone_and_told_why(tmp_path: Path) -> None:
    nowhere = {"state": {"url": "postgresql://respond@127.0.0.1:1/respond"}}
    with several(tmp_path, ready=("beta",), alpha=nowhere) as running:
        ended = running.front.wait_for("tenant-ended")
        assert (ended["tenant"], ended["code"]) == ("alpha", 2)
        assert "state.url" in ended["reason"]
        assert running.deliver(body("alpha", 0)).status_code == 503
        is_taken(running, "beta", 0, guarded=False)
        assert running.front.get("/readyz").json()["status"] == "partly-ready"


def test_a_worker_of_several_tenants_does_not_share_through_a_file(tmp_path: Path) -> None:
    refused = respond("worker", "--config", str(write_config(tmp_path, guarded=False)))
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert refused.err.startswith("respond: tenants.alpha.state.url: a worker shares its work through PostgreSQL")


@pytest.mark.soak
def test_workers_are_one_a_tenant(tmp_path: Path, pg: postgres.Uri) -> None:
    with postgres.database(pg) as alpha, postgres.database(pg) as beta:
        urls = {"alpha": {"state": {"url": alpha}}, "beta": {"state": {"url": beta}}}
        config = write_config(tmp_path, guarded=False, of=urls)
        worker = Serving("worker", "--config", str(config))
        try:
            assert {worker.wait_for("working")["tenant"] for _ in NAMES} == set(NAMES)
            assert worker.stop() == 0
        finally:
            if worker.code is None:
                worker.kill()


def test_nobody_but_the_front_starts_a_process_behind_it(tmp_path: Path) -> None:
    config = write_config(tmp_path, guarded=False)
    done = subprocess.run(
        [sys.executable, "-m", "respond", "serve", "--behind", "--tenant", "alpha", "--config", str(config)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patiently(30),
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("respond: --behind: is for `respond serve` itself")
