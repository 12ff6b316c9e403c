"""The columns of each table, and what a value of each type looks like in a scenario file.

The columns themselves are in `respond/log_schema.json`. Every table of a workspace has the standard columns as well,
which that file leaves out: https://learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from respond.log_schema import Columns, sentinel_tables, xdr_tables

__all__ = ["EXPECTED", "TIME_COLUMN", "XDR_TIME_COLUMN", "Columns", "columns_of", "fits", "sentinel_tables",
           "split_naive", "split_timestamp", "workspace_tables", "xdr_tables"]  # fmt: skip

TIME_COLUMN = "TimeGenerated"
XDR_TIME_COLUMN = "Timestamp"

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


STANDARD: Columns = {
    "TenantId": "string",
    "SourceSystem": "string",
    "MG": "string",
    "ManagementGroupName": "string",
    "Computer": "string",
    "RawData": "string",
    "Type": "string",
    "_ItemId": "string",
    "_ResourceId": "string",
    "_SubscriptionId": "string",
    "_TimeReceived": "datetime",
    "_IsBillable": "string",
    "_BilledSize": "real",
    "_Internal_WorkspaceResourceId": "string",
}
"""What an export of any table of a workspace may carry beside the columns of its own."""


@cache
def workspace_tables() -> dict[str, Columns]:
    """Table -> columns of a workspace, the standard ones included."""
    return {table: columns | _beside(columns) for table, columns in sentinel_tables().items()}


def _beside(columns: Columns) -> Columns:
    """The standard columns that a table does not have by itself; names differ in more than case, or not at all."""
    own = {name.lower() for name in columns}
    return {name: kind for name, kind in STANDARD.items() if name.lower() not in own}


def columns_of(table: str) -> Columns | None:
    """The columns that a file named after this table may use; None when there is no such table.

    A table that both have is written as the workspace has it.
    """
    return workspace_tables().get(table) or xdr_tables().get(table)


def split_timestamp(text: str) -> tuple[datetime, str] | None:
    """The whole seconds (aware, UTC) and the fraction as written (`.1234567` or empty); None if it is no timestamp.

    A timestamp is a complete ISO 8601 one with `Z` and up to nine fraction digits.
    """
    parts = split_naive(text)
    return (parts[0].replace(tzinfo=UTC), parts[1]) if parts else None


def split_naive(text: str) -> tuple[datetime, str] | None:
    """As `split_timestamp`, without the time zone: for millions of them."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[1]), match[2] or ""
    except ValueError:
        return None


def _is_whole(value: Any, bits: int) -> bool:
    return type(value) is int and -(1 << (bits - 1)) <= value < 1 << (bits - 1)


_FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "datetime": lambda value: isinstance(value, str) and split_naive(value) is not None,
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
