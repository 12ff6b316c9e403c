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
import sqlalchemy as sa

from respond.session import open_session
from respond.settings import shipped_config
from respond.store.cases import Store
from respond.store.engine_records import compact
from respond.store.purge import shrink
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


def test_a_finished_run_loses_its_steps_and_keeps_its_answer(lab: Start, tmp_path: Path) -> None:
    lab()
    report = respond("--user", VICTIM, "--json").json
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    with closing(Store(url)) as store:
        assert compact(store.database, datetime.now(UTC) - timedelta(hours=1)) == 0
        assert compact(store.database, datetime.now(UTC) + timedelta(seconds=1)) == 1
        statements: list[str] = []
        sa.event.listen(store.database, "before_cursor_execute", lambda *told: statements.append(told[2]))
        assert compact(store.database, datetime.now(UTC) + timedelta(seconds=1)) == 0
        assert statements
        assert not [one for one in statements if "PRAGMA" in one], "the tables are read once, or each look costs memory"
    assert counted(tmp_path, "operation_outputs", "workflow_input", "workflow_output") == [0, 0, 1]

    async def answer() -> object:
        async with open_session(shipped_config()) as session:
            return await session.engine.result(report["run"])

    assert asyncio.run(answer()).case == report["case"]  # type: ignore[attr-defined]
    again = respond("--user", VICTIM, "--json")
    assert (again.json["case"], again.json["repeat"]) == (report["case"], True)


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED"])
def test_a_run_that_failed_loses_its_steps_as_well(status: str, lab: Start, tmp_path: Path) -> None:
    lab()
    respond("--user", VICTIM, "--json")
    with closing(Store(f"sqlite:///{tmp_path / 'state' / 'respond.db'}")) as store:
        with store.database.begin() as db:
            db.exec_driver_sql("UPDATE workflow_status SET status = ?", (status,))
        assert compact(store.database, datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert counted(tmp_path, "operation_outputs", "workflow_input") == [0, 0]


def test_the_file_shrinks_when_records_are_deleted(tmp_path: Path) -> None:
    file = tmp_path / "state" / "respond.db"
    with closing(Store(f"sqlite:///{file}")) as store:
        with store.database.begin() as db:
            db.exec_driver_sql("CREATE TABLE records (body TEXT)")
            for _ in range(100):
                db.exec_driver_sql("INSERT INTO records VALUES (?)", ("x" * 50_000,))
        full = sizes(store, file)
        with store.database.begin() as db:
            db.exec_driver_sql("DELETE FROM records")
        shrink(store.database)
        assert full > 5_000_000
        assert sizes(store, file) < 1_000_000


def sizes(store: Store, file: Path) -> int:
    with store.database.connect() as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    return file.stat().st_size


def test_the_service_deletes_cases_that_were_kept_long_enough(lab: Start, tmp_path: Path) -> None:
    lab()
    respond("--user", VICTIM, "--json")
    old = "2024-01-01T00:00:00Z"
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        db.execute("UPDATE respond_cases SET opened = ?", (old,))
        db.execute("UPDATE respond_reports SET at = ?", (old,))
        db.execute("UPDATE respond_watches SET done_at = due")
        db.commit()
    with serving(RESPOND_SCHEDULE__EVERY="0s") as service:
        assert service.wait_for("purged")["cases"] == 1
    assert counted(tmp_path, "respond_cases", "respond_reports", "respond_tickets") == [0, 0, 0]
    assert not list((tmp_path / "state" / "tickets").glob("*.md"))
    assert respond("audit", "verify").code == 0


@pytest.mark.soak
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
