"""`respond state check` and `upgrade`, and the line of doctor about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from respond.store import migrations
from respond.store.cases import Store
from tests.helpers import states
from tests.helpers.command import respond

Run = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the commands look for the state."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "respond.db"


def run(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def opened(file: Path) -> None:
    Store(f"sqlite:///{file}").close()


def test_check_says_that_there_is_nothing_yet_and_makes_nothing(file: Path) -> None:
    ran = respond("state", "check")
    assert (ran.code, ran.err) == (0, "")
    assert "no state database yet" in ran.out
    assert not file.exists()


def test_check_says_that_it_fits(file: Path) -> None:
    states.load(states.names()[-1], f"sqlite:///{file}")
    opened(file)
    ran = respond("state", "check")
    assert (ran.code, ran.err) == (0, "")
    assert f"schema {migrations.HEAD}" in ran.out
    assert respond("state", "check", "--json").json[0]["fit"] == "fits"


def test_check_finds_an_older_schema_and_upgrade_migrates_it_once(file: Path) -> None:
    states.load(states.names()[0], f"sqlite:///{file}")
    before = respond("state", "check")
    assert before.code == 1
    assert "written by an older respond (schema without a version" in before.out
    assert "run `respond state upgrade`" in before.out
    upgraded = respond("state", "upgrade")
    assert (upgraded.code, upgraded.err) == (0, "")
    assert f"schema without a version -> {migrations.HEAD}" in upgraded.out
    kept = Path(upgraded.out.split("the state before is in ")[1].strip())
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("SELECT count(*) FROM respond_cases").fetchone() == (1,)
    assert kept.stat().st_mode & 0o077 == 0
    assert respond("state", "check").code == 0
    again = respond("state", "upgrade")
    assert (again.code, "nothing to do" in again.out) == (0, True)
    assert len(list(file.parent.glob("respond.db.schema*"))) == 1


def test_check_names_what_is_missing_and_upgrade_adds_it(file: Path) -> None:
    states.load(states.names()[-1], f"sqlite:///{file}")
    opened(file)
    run(file, "ALTER TABLE respond_cases DROP COLUMN busy_run", "DROP TABLE respond_watches")
    refused = respond("cases")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "lacks respond_cases.busy_run, respond_watches: run `respond state upgrade`" in refused.err
    found = respond("state", "check")
    assert found.code == 1
    assert "the state database lacks respond_cases.busy_run, respond_watches" in found.out
    mended = respond("state", "upgrade")
    assert "added respond_watches, respond_cases.busy_run" in mended.out
    assert respond("state", "check").code == 0
    assert respond("cases").code == 0


def test_check_names_documents_that_cannot_be_read(file: Path) -> None:
    states.load(states.names()[-1], f"sqlite:///{file}")
    opened(file)
    run(file, """UPDATE respond_reports SET body = '{"case": "secret"}' WHERE mode = 'live'""")
    found = respond("state", "check")
    assert found.code == 1
    assert "unreadable: respond_reports " in found.out
    assert "a stored Report cannot be read: mode: Field required" in found.out
    assert "secret" not in found.out


def test_check_counts_documents_of_a_newer_version(file: Path) -> None:
    states.load(states.names()[-1], f"sqlite:///{file}")
    opened(file)
    run(file, "UPDATE respond_reports SET version = 2")
    found = respond("state", "check")
    assert (found.code, "2 of a newer version" in found.out) == (0, True)


@pytest.mark.parametrize("command", ["check", "upgrade"])
def test_a_newer_database_is_left_alone_with_exit_2(file: Path, command: str) -> None:
    opened(file)
    run(file, "UPDATE respond_schema SET version_num = '9999'", "UPDATE respond_schema_properties SET value = '9999'")
    ran = respond("state", command)
    assert ran.code == 2
    assert "written by a newer respond (schema 9999" in ran.out + ran.err


def test_a_damaged_file_is_said_to_be_so(file: Path) -> None:
    file.write_bytes(b"no database, whatever it is called" * 100)
    ran = respond("state", "check")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "cannot be opened: file is not a database" in ran.err
