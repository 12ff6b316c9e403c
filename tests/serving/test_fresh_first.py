"""What was just reported is answered before rechecks and before what a dead process left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from respond.models.base import stamp
from respond.store.cases import Store
from respond.store.database import watches
from tests.helpers import deliveries, dug_in_story, victims
from tests.helpers.outcome import left
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]

_QUICK = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "500ms"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    monkeypatch.setenv("RESPOND_STATE__URL", url)
    monkeypatch.setenv("RESPOND_CONFIG", str(dug_in_story.policy(tmp_path, limits=dug_in_story.UNLIMITED)))
    return url


def users_done(service: Serving) -> list[str]:
    """Whose runs ended, in that order."""
    return [str(line["user"]) for line in tuple(service.lines) if line["event"] == "run-done"]


def working(service: Serving) -> dict[str, float]:
    lines = service.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("respond_runs_working{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}


def counted(service: Serving) -> float:
    """Answered cases, as the figures of the service have them."""
    lines = service.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("respond_cases_total{"))


def test_a_fresh_delivery_goes_before_rechecks_that_are_due(lab: Start, tmp_path: Path, state: str) -> None:
    tenant = lab(victims.write(tmp_path / "story", 5), queries_per_30s=1_000_000)
    with serving(**_QUICK, RESPOND_SERVE__RUNS_AT_ONCE="2") as service:
        for number in range(4):
            assert service.post(deliveries.body(number)).status_code == 202
        service.answers(4, 120)
        answered = len(users_done(service))
        with closing(Store(state)) as store, store.database.begin() as db:
            db.execute(sa.update(watches).where(watches.c.number == 1).values(due=stamp(datetime.now(UTC))))
        service.wait_for("followed")
        assert service.post(deliveries.body(4)).status_code == 202
        until(lambda: victims.user_id(4) in users_done(service)[answered:], 60)
        rechecked = set(users_done(service)[answered:]) - {victims.user_id(4)}
        assert len(rechecked) < 4, "it did not wait for all of them"
        with closing(Store(state)) as store:
            until(lambda: not store.watches.due("lab", datetime.now(UTC)), 120)
        followed = [line["run"] for line in tuple(service.lines) if line["event"] == "followed"]
        assert len(followed) == len(set(followed)) == 4, "each recheck is started and told once"
        until(lambda: len(users_done(service)) >= answered + 5, 30)
        assert len(users_done(service)) == answered + 5, "each look is told once"
        # A look that finds everything answered, the ticket included, is told as a repeat and is no further case.
        new = [line for line in tuple(service.lines) if line["event"] == "run-done" and not line["repeat"]]
        assert len(new) > answered
        until(lambda: counted(service) >= len(new), 30)
        assert counted(service) == len(new), "and counted once"
        told = {line["event"] for line in tuple(service.lines)}
        assert not told & {"run-interrupted", "runs-put-back", "runs-taken-over"}, "nobody took what was worked on"
    assert set(left(state, tenant).revoked.values()) == {1}


@pytest.mark.soak
def test_runs_of_a_dead_process_never_take_all_places(lab: Start, tmp_path: Path, state: str) -> None:
    tenant = lab(victims.write(tmp_path / "story", 6), queries_per_30s=1_000_000, logs_latency="1s")
    with serving(**_QUICK, RESPOND_SERVE__RUNS_AT_ONCE="5") as dying:
        for number in range(5):
            assert dying.post(deliveries.body(number)).status_code == 202
        until(lambda: working(dying).get("fresh") == 5, 60)
        dying.kill()
    most = 0.0
    with serving(**_QUICK) as service:
        assert service.post(deliveries.body(5)).status_code == 202

        def all_answered() -> bool:
            nonlocal most
            most = max(most, working(service).get("background", 0))
            return service.depth().get("answered", 0) == 6

        until(all_answered, 240, lambda: f"{service.depth()} {service.lines[-5:]}")
        assert 1 <= most <= 2
    found = left(state, tenant)
    assert found.revoked == {victims.user_id(number): 1 for number in range(6)}
