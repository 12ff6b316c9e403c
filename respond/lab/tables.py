"""A story's rows as DuckDB tables, once as a Log Analytics workspace holds them, once as advanced hunting does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from respond.lab.columns import (
    TIME_COLUMN,
    XDR_TIME_COLUMN,
    Columns,
    columns_of,
    sentinel_tables,
    split_timestamp,
    xdr_tables,
)
from respond.lab.kql_functions import MACROS
from respond.lab.timeshift import shift_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from respond.lab.scenario import Scenario

Row = dict[str, Any]

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


def workspace(story: Scenario, shift: timedelta) -> DuckDBPyConnection:
    """Every Sentinel table with the story's rows, moved to the present; absent tables do not exist."""
    tables = {name: columns for name, columns in sentinel_tables().items() if name not in story.absent_tables}
    return _build(tables, {name: _moved(story, name, shift) for name in tables})


def advanced_hunting(story: Scenario, shift: timedelta) -> DuckDBPyConnection:
    """Every Defender XDR table with the story's rows; those that a workspace has too come from the same file."""
    tables = {name: columns for name, columns in xdr_tables().items() if name not in story.absent_tables}
    moved: dict[str, Iterable[Row]] = {}
    for name, columns in tables.items():
        moved[name] = [_as_xdr(row, columns) for row in _moved(story, name, shift)]
    return _build(tables, moved)


def _moved(story: Scenario, table: str, shift: timedelta) -> Iterator[Row]:
    columns = columns_of(table) or {}
    return (shift_row(row, columns, shift) for row in story.tables.get(table, []))


def _as_xdr(row: Row, columns: Columns) -> Row:
    """A workspace row as advanced hunting has it: Timestamp for TimeGenerated, its own types, no other columns."""
    known = {XDR_TIME_COLUMN: row.get(TIME_COLUMN), **row}
    return {name: _retype(value, columns[name]) for name, value in known.items() if name in columns}


def _retype(value: Any, kind: str) -> Any:
    if kind == "string" and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if kind in ("int", "long") and isinstance(value, str):
        return int(value) if value.isdecimal() else None
    if kind == "dynamic" and isinstance(value, str) and value.startswith(("{", "[")):
        return json.loads(value)
    return value


def _build(tables: Mapping[str, Columns], rows: Mapping[str, Iterable[Row]]) -> DuckDBPyConnection:
    import duckdb_kql

    con = duckdb_kql.connect(config=_CONFIG)
    for macro in MACROS:
        con.execute(macro)
    for name, columns in tables.items():
        declared = ", ".join(f'"{column}" {_SQL_TYPES[kind]}' for column, kind in columns.items())
        con.execute(f'CREATE TABLE "{name}" ({declared})')
    with tempfile.TemporaryDirectory(prefix="respond-lab-") as folder:
        for name, found in rows.items():
            _insert(con, name, tables[name], found, Path(folder) / f"{name}.json")
    # from here on no query may reach the file system or the network
    con.execute("SET enable_external_access = false")
    return con


def _insert(con: DuckDBPyConnection, table: str, columns: Columns, rows: Iterable[Row], path: Path) -> None:
    """One bulk read of a JSON file: a hundred times faster than row by row."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(
                json.dumps({name: _plain(value, columns[name]) for name, value in row.items()}, ensure_ascii=False)
            )
            file.write("\n")
    if not path.stat().st_size:
        return
    types = ", ".join(f"'{name}': '{_SQL_TYPES[kind]}'" for name, kind in columns.items())
    # Log Analytics has no null text: what is absent is empty
    values = ", ".join(
        f"coalesce(\"{name}\", '')" if kind == "string" else f'"{name}"' for name, kind in columns.items()
    )
    source = f"read_json(?, format='newline_delimited', columns={{{types}}})"
    con.execute(f'INSERT INTO "{table}" SELECT {values} FROM {source}', [str(path)])  # noqa: S608 -- names of our own tables


def _plain(value: Any, kind: str) -> Any:
    """DuckDB keeps microseconds; a seventh digit and beyond is dropped, as a cast to TIMESTAMP refuses some of them."""
    if kind != "datetime" or value is None:
        return value
    parts = split_timestamp(value)
    return f"{parts[0].replace(tzinfo=None).isoformat(sep=' ')}{parts[1][:7]}" if parts else None
