"""The columns of each log table, as Microsoft's table references give them.

The lab builds its tables from them; the clients use them to ask on without a table or column that a workspace lacks.
Source of `log_schema.json`: credited in the file itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

Columns = dict[str, str]
"""Column name -> Kusto type: string, datetime, dynamic, int, long, real, bool or guid."""

Tables = Mapping[str, Columns]

_FILE = Path(__file__).with_name("log_schema.json")
_SAME = {"boolean": "bool", "double": "real"}


@cache
def sentinel_tables() -> dict[str, Columns]:
    """Table -> columns of a Log Analytics workspace with Sentinel."""
    return _read("sentinel")


@cache
def xdr_tables() -> dict[str, Columns]:
    """Table -> columns of Defender XDR advanced hunting."""
    return _read("defender_xdr")


def _read(section: str) -> dict[str, Columns]:
    tables: dict[str, Columns] = json.loads(_FILE.read_text(encoding="utf-8"))[section]
    return {
        name: {column: _SAME.get(kind, kind) for column, kind in columns.items()} for name, columns in tables.items()
    }
