"""The columns of each table, and what a value of each type looks like in a scenario file.

Source of `table_columns.json`: Microsoft's table references, credited in the file itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

Columns = dict[str, str]
"""Column name -> Kusto type: string, datetime, dynamic, int, long, real, bool or guid."""

TIME_COLUMN = "TimeGenerated"
XDR_TIME_COLUMN = "Timestamp"

_FILE = Path(__file__).with_name("table_columns.json")
_SAME = {"boolean": "bool", "double": "real"}
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@cache
def sentinel_tables() -> dict[str, Columns]:
    """Table -> columns of a Log Analytics workspace with Sentinel."""
    return _read("sentinel")


@cache
def xdr_tables() -> dict[str, Columns]:
    """Table -> columns of Defender XDR advanced hunting."""
    return _read("defender_xdr")


def columns_of(table: str) -> Columns | None:
    """The columns that a file named after this table may use; None when there is no such table.

    A table that both have is written as the workspace has it.
    """
    return sentinel_tables().get(table) or xdr_tables().get(table)


def _read(section: str) -> dict[str, Columns]:
    tables: dict[str, Columns] = json.loads(_FILE.read_text(encoding="utf-8"))[section]
    return {
        name: {column: _SAME.get(kind, kind) for column, kind in columns.items()} for name, columns in tables.items()
    }


def split_timestamp(text: str) -> tuple[datetime, str] | None:
    """The whole seconds (aware, UTC) and the fraction as written (`.1234567` or empty); None if it is no timestamp.

    A timestamp is a complete ISO 8601 one with `Z` and up to nine fraction digits.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC), match[2] or ""
    except ValueError:
        return None


def _is_whole(value: Any, bits: int) -> bool:
    return type(value) is int and -(1 << (bits - 1)) <= value < 1 << (bits - 1)


_FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "datetime": lambda value: isinstance(value, str) and split_timestamp(value) is not None,
    "dynamic": lambda _: True,
    "int": lambda value: _is_whole(value, 32),
    "long": lambda value: _is_whole(value, 64),
    "real": lambda value: type(value) in (int, float),
    "bool": lambda value: isinstance(value, bool),
    "guid": lambda value: isinstance(value, str) and _GUID.fullmatch(value) is not None,
}

EXPECTED = {
    "string": "a JSON string",
    "datetime": "an ISO 8601 timestamp with Z, such as 2026-01-15T09:24:58Z",
    "dynamic": "any JSON value",
    "int": "a whole number of 32 bits",
    "long": "a whole number of 64 bits",
    "real": "a number",
    "bool": "true or false",
    "guid": "a GUID",
}
"""Type -> what a value of it looks like, for messages."""


def fits(kind: str, value: Any) -> bool:
    """Whether a JSON value may stand in a column of this type. null always may."""
    return value is None or _FITS[kind](value)
