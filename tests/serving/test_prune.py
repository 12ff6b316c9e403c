"""What finished runs recorded is forgotten after a while; cases, reports, tickets and the audit log are not."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from respond.session import open_session
from respond.settings import shipped_config
from tests.helpers import deliveries, victims
from tests.helpers.command import VICTIM, respond
from tests.helpers.outcome import left
from tests.helpers.serving import serving
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]


def counted(tmp_path: Path, *tables: str) -> list[int]:
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - ours


@pytest.mark.parametrize(
    ("ago", "gone"), [pytest.param(timedelta(hours=1), False, marks=pytest.mark.soak), (timedelta(0), True)]
)
def test_runs_that_ended_before_a_moment_are_forgotten(ago: timedelta, gone: bool, lab: Start, tmp_path: Path) -> None:
    lab()
    case = respond("--user", VICTIM, "--json").json["case"]

    async def prune() -> int:
        async with open_session(shipped_config()) as session:
            return await asyncio.to_thread(session.engine.prune, datetime.now(UTC) - ago)

    assert asyncio.run(prune()) == (1 if gone else 0)
    steps, runs = counted(tmp_path, "operation_outputs", "workflow_status")
    assert (steps == 0, runs == 0) == (gone, gone)
    assert respond("show", case, "--json").json["outcome"] == "contained-verified"
    assert respond("audit", "verify").code == 0
    again = respond("--user", VICTIM, "--json")
    assert (again.json["case"], again.json["repeat"]) == (case, True)


def test_the_service_prunes_by_itself(lab: Start, tmp_path: Path) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1))
    with serving(RESPOND_SCHEDULE__EVERY="0s") as service:
        service.post(deliveries.body(0))
        service.answers(1)
        assert service.stop() == 0, "or a run would still be open"
    time.sleep(1.1)
    with serving(RESPOND_SCHEDULE__EVERY="0s", RESPOND_STATE__KEEP_RUNS="1s") as service:
        assert service.wait_for("pruned")["runs"] >= 3
        time.sleep(1)
    assert counted(tmp_path, "workflow_status", "respond_deliveries") == [0, 0]
    assert [report.outcome for report in left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant).reports] == [
        "contained-verified"
    ]
