"""More machines on one PostgreSQL: they share the work, and what a dead one had, another finishes. Nothing twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from respond.durable import RECORDS_VERSION
from tests.helpers import deliveries, dug_in_story, victims
from tests.helpers.command import finish, spawn
from tests.helpers.outcome import left
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab
from tests.serving.test_one_case import storm

Start = Callable[..., RunningLab]
QUICK = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "1s"}


@pytest.fixture
def _on_postgres(pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_STATE__URL", pg_url)
    monkeypatch.setenv("RESPOND_STATE__DIR", str(tmp_path / "files"))


def working(**env: str) -> Serving:
    worker = Serving("worker", env={**QUICK, **env})
    worker.wait_for("working")
    return worker


@pytest.mark.soak
@pytest.mark.parametrize("count", [12, 100])
@pytest.mark.usefixtures("_on_postgres")
def test_what_a_killed_worker_had_another_finishes_and_no_action_is_done_twice(
    count: int, lab: Start, tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_CONFIG", str(dug_in_story.policy(tmp_path, limits=dug_in_story.UNLIMITED)))
    tenant = lab(victims.write(tmp_path / "story", count), queries_per_30s=1_000_000)
    bodies = [json.dumps(deliveries.body(number)).encode() for number in range(count)]
    # The service only takes deliveries: all but one of them are the workers' to answer.
    with serving(**QUICK, RESPOND_SERVE__RUNS_AT_ONCE="1") as service:
        first, second = working(), working()
        try:
            assert asyncio.run(storm(service, bodies, connections=8)) == {202: count}
            first.wait_for("run-done")
            first.kill()
            killed = time.monotonic()
            taken = [one.wait_for("runs-taken-over") for one in (second,) if _took_over(one, service)]
            assert time.monotonic() - killed < patiently(60)
            service.answers(count, 400)
        finally:
            codes = [second.stop()]
    assert codes == [0]
    assert taken or any(line["event"] == "runs-taken-over" for line in service.lines)
    found = left(pg_url, tenant)
    assert Counter(report.outcome for report in found.reports) == {"contained-verified": count}
    assert len(found.tickets) == count
    assert found.revoked == {victims.user_id(number): 1 for number in range(count)}


def _took_over(worker: Serving, service: Serving) -> bool:
    """Wait until one of the two has taken over; whether it was the worker."""
    event = "runs-taken-over"

    def told(one: Serving) -> bool:
        return any(line["event"] == event for line in tuple(one.lines))

    until(lambda: told(worker) or told(service), 60)
    return told(worker)


@pytest.mark.soak
@pytest.mark.usefixtures("_on_postgres")
def test_the_command_line_beside_the_service_shares_its_cases(lab: Start, tmp_path: Path, pg_url: str) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1))
    with serving(**QUICK) as service:
        beside = spawn("--user", victims.upn(0), "--json")
        assert service.post(deliveries.body(0)).status_code == 202
        by_hand = finish(beside)
        service.answers(1)
    assert by_hand.code == 0, by_hand
    found = left(pg_url, tenant)
    assert [report.case for report in found.reports] == [by_hand.json["case"]]
    assert found.revoked == {victims.user_id(0): 1}


@pytest.mark.soak  # it waits half a minute for the older version to be taken for dead
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_runs_of_an_older_version_are_left_to_it_while_it_lives_and_begun_anew_when_it_is_gone(
    database: str, lab: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    if database == "postgresql":
        request.getfixturevalue("_on_postgres")
        url = request.getfixturevalue("pg_url")
    tenant = lab(victims.write(tmp_path / "story", 1), logs_latency="3s")
    old = Serving("serve", "--port", "0", env=QUICK, fresh=True, module="tests.helpers.older_version")
    old.listens()
    assert old.post(deliveries.body(0)).status_code == 202
    old.wait_for("action-done")
    with serving(**QUICK) as new:
        time.sleep(3)  # three beats, in each of which it might have taken what is not its own
        assert not [line for line in new.lines if line["event"] in ("run-abandoned", "runs-taken-over")]
        old.kill()
        until(lambda: any(line["event"] == "run-abandoned" for line in tuple(new.lines)), 60)
        new.answers(1, 180)
        assert any(line["event"] == "run-done" and line["outcome"] == "contained-verified" for line in new.lines)
    found = left(url, tenant)
    assert [report.outcome for report in found.reports] == ["contained-verified"]
    assert found.revoked == {victims.user_id(0): 1}


def test_the_older_version_of_the_test_is_another_one() -> None:
    from tests.helpers.older_version import VERSION

    assert VERSION != RECORDS_VERSION
