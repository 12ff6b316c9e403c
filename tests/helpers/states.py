"""States of earlier versions, as SQL: `python -m tests.helpers.states FILE` writes one, the tests load them."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from respond.store import migrations
from respond.store.database import connect

FOLDER = Path(__file__).parents[1] / "store" / "states"
_SKIPPED = ("respond_processes",)


def names() -> list[str]:
    """By date, the earliest first."""
    return sorted(file.stem for file in FOLDER.glob("*.sql"))


def parameters() -> list[Any]:
    """Their names as parameters of a test; those between the first and the last are for `make soak`."""
    first, *others, last = names()
    return [first, *(pytest.param(name, marks=pytest.mark.soak) for name in others), last]


def base_tables() -> sa.MetaData:
    """The tables that databases from before versions have, or some of them."""
    tables: sa.MetaData = ScriptDirectory(str(Path(migrations.__file__).parent)).get_revision("0001").module._tables
    return tables


def load(name: str, url: str) -> None:
    """Put a state into an empty database."""
    text = (FOLDER / f"{name}.sql").read_text()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            db.executescript(text)
        return
    engine, base = connect(url), base_tables()
    with closing(sqlite3.connect(":memory:")) as old, engine.begin() as db:
        old.executescript(text)
        held = {table for (table,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        tables = [table for table in base.sorted_tables if table.name in held]
        base.create_all(db, tables=tables)
        for table in tables:
            found = old.execute(f'SELECT * FROM "{table.name}"')  # noqa: S608 - a table's name
            columns = [column[0] for column in found.description]
            rows = [dict(zip(columns, row, strict=True)) for row in found]
            for row in rows:
                row |= {name: bool(row[name]) for name in row if isinstance(table.c[name].type, sa.Boolean)}
            if rows:
                db.execute(sa.insert(table), rows)
        numbers = "SELECT setval(pg_get_serial_sequence('respond_tickets', 'number'), max(number)) FROM respond_tickets"
        db.exec_driver_sql(numbers)
    engine.dispose()


def dumped(file: Path) -> str:
    """Our tables of a SQLite file as SQL, without paths of the machine."""
    with closing(sqlite3.connect(file)) as db:
        made = db.execute("SELECT name, type, sql FROM sqlite_master WHERE name LIKE 'respond%' AND sql IS NOT NULL")
        found = sorted(made.fetchall(), key=lambda row: row[1] != "table")
        lines = [f"{' '.join(sql.split())};" for _, _, sql in found]
        for table in (name for name, kind, _ in found if kind == "table" and name not in _SKIPPED):
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a table's name
                values = ",".join("NULL" if value is None else _literal(value) for value in row)
                lines.append(f"INSERT INTO {table} VALUES ({values});")  # noqa: S608 - written, not run
    return re.sub(re.escape(str(file.resolve().parent)), "/var/lib/respond", "\n".join(lines)) + "\n"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    sys.stdout.write(dumped(Path(sys.argv[1])))
