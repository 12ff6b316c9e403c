"""A story's rows as DuckDB tables: in memory when they are few, in a file when they are many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from respond.lab.columns import Columns
from respond.lab.kql_functions import MACROS
from respond.lab.row_jobs import FORMS, Job, jobs_for

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from respond.lab.scenario import Scenario

_SQL_TYPES = {
    "string": "VARCHAR",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "guid": "UUID",
}
_CONFIG: dict[str, Any] = {
    "threads": 2,
    "memory_limit": "2GB",
    # or it would spill into the working directory
    "temp_directory": "",
    # a table name in a query must never find a Python variable of this process
    "python_enable_replacements": "false",
}
_TO_FILL = {"threads": 1, "memory_limit": "320MB"}
"""One thread keeps the order of the rows anyway; the processors are busy with reading them."""

_TO_ASK = {"memory_limit": "512MB"}


def in_memory(story: Scenario, shift: timedelta, form: str) -> DuckDBPyConnection:
    """Every table of a form (see `FORMS`) with the story's rows, moved to the present; absent tables do not exist.

    Raises:
        UsageError: the first mistake in a row.
    """
    import duckdb_kql

    con = duckdb_kql.connect(config=_CONFIG)
    known = _create(con, form, story)
    with tempfile.TemporaryDirectory(prefix="respond-lab-") as folder:
        for file in story.tables.values():
            if file.table in known:
                for job in jobs_for(file, form, shift, Path(folder)):
                    job.run()
                    insert(con, job)
    _lock(con)
    return con


@contextmanager
def new_file(path: Path, form: str, story: Scenario) -> Iterator[DuckDBPyConnection]:
    """A database file with every table of a form, to be filled; complete at the end of the block.

    One transaction: so DuckDB compresses and writes each row group once, however the rows come in.
    """
    import duckdb_kql

    config = _CONFIG | _TO_FILL | {"temp_directory": str(path.with_suffix(".spill"))}
    con = duckdb_kql.connect(str(path), config=config)
    try:
        con.execute("BEGIN")
        _create(con, form, story)
        yield con
        con.execute("COMMIT")
        con.execute("CHECKPOINT")
    finally:
        con.close()


def in_file(path: Path, scratch: Path) -> DuckDBPyConnection:
    """A database file, to read from; several processes may do so.

    Args:
        scratch: directory for what a query cannot hold in memory; made when there is such a query.
    """
    import duckdb_kql

    con = duckdb_kql.connect(str(path), read_only=True, config=_CONFIG | _TO_ASK | {"temp_directory": str(scratch)})
    _lock(con)
    return con


def insert(con: DuckDBPyConnection, job: Job) -> None:
    """Take over the rows that a job has written: a bulk read, a hundred times faster than row by row."""
    if not Path(job.out).stat().st_size:
        return
    table = job.part.path.stem
    columns = FORMS[job.form]()[table]
    types = ", ".join(f"'{name}': '{_SQL_TYPES[kind]}'" for name, kind in columns.items())
    # Log Analytics has no null text: what is absent is empty
    values = ", ".join(
        f"coalesce(\"{name}\", '')" if kind == "string" else f'"{name}"' for name, kind in columns.items()
    )
    source = f"read_json(?, format='newline_delimited', columns={{{types}}})"
    con.execute(f'INSERT INTO "{table}" SELECT {values} FROM {source}', [job.out])  # noqa: S608 -- names of our own tables


def _create(con: DuckDBPyConnection, form: str, story: Scenario) -> dict[str, Columns]:
    for macro in MACROS:
        con.execute(macro)
    known = {name: columns for name, columns in FORMS[form]().items() if name not in story.absent_tables}
    for name, columns in known.items():
        declared = ", ".join(f'"{column}" {_SQL_TYPES[kind]}' for column, kind in columns.items())
        con.execute(f'CREATE TABLE "{name}" ({declared})')
    return known


def _lock(con: DuckDBPyConnection) -> None:
    """From here on no query may reach the file system or the network."""
    con.execute("SET enable_external_access = false")
