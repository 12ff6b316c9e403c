"""A query without the tables and columns that a workspace lacks, or Defender XDR does: they become empty. Pure.

An absent table reads as an empty one of the same columns, an absent column as an empty value, so the rest of the query
stays as it is. What was left out is named, so that it can be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from respond.log_schema import Tables, sentinel_tables
from respond.models.base import Gap

_INDISPENSABLE = frozenset(
    {
        "UserId",
        "IPAddress",
        "ResultType",
        "AuthenticationProtocol",
        "OriginalTransferMethod",
        "CorrelationId",
        "SessionId",
    }
)
"""Columns without which a sign-in cannot be found or told: an empty one would read as no attack."""

_EMPTY = {"string": '""', "dynamic": "dynamic(null)"}
_NOT_CODE = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*)""")
_NAME = re.compile(r"[A-Za-z_]\w*")
_UNRESOLVED = re.compile(
    r"Failed to resolve (?:table or column|column or scalar|table|column|scalar|entity)\w* ?(?:expression )?"
    r"named '([^']+)'"
)


def unresolved(said: str) -> str:
    """The table or column that a service says it does not know, in the words of Kusto; empty where it says none."""
    found = _UNRESOLVED.search(said)
    return found[1] if found else ""


def without_known(text: str, absent: Mapping[str, str], tables: Tables | None = None) -> tuple[str, list[Gap]]:
    """The query without what is known to be absent.

    Args:
        absent: name of a table or column -> what the service said about it.
        tables: the columns that each table should have; those of a workspace unless given.
    """
    gaps = []
    used = names(text)
    tables = tables or sentinel_tables()
    for name in sorted(used & absent.keys()):
        text = _without(text, name, tables)
        gaps.append(Gap(source=_table_of(used, name, tables), reason=absent[name]))
    return text, gaps


def can_do_without(text: str, name: str, tables: Tables | None = None) -> bool:
    """Whether the query uses a table or column of that name, and means anything without it."""
    used = names(text)
    return name in used and bool(_table_of(used, name, tables or sentinel_tables())) and name not in _INDISPENSABLE


def _table_of(used: set[str], name: str, tables: Tables) -> str:
    """The table itself, or `Table.Column` for each table of the query that has the column."""
    if name in tables:
        return name
    return ", ".join(sorted(f"{table}.{name}" for table in used & tables.keys() if name in tables[table]))


def _without(text: str, name: str, tables: Tables) -> str:
    if name in tables:
        needed = {column: kind for column, kind in tables[name].items() if column in names(text)}
        columns = ", ".join(f"{column}: {kind}" for column, kind in needed.items())
        return replaced(text, name, f"datatable({columns})[]")
    for table in sorted(names(text) & tables.keys()):
        if kind := tables[table].get(name):
            empty = _EMPTY.get(kind, f"{kind}(null)")
            text = replaced(text, table, f'{table} | extend {name} = column_ifexists("{name}", {empty})')
    return text


def replaced(text: str, name: str, by: str) -> str:
    """Replace a name in the code, not in strings and comments, nor where it is a column's new name (`Source = "…"`)."""
    parts = _NOT_CODE.split(text)
    parts[::2] = [re.sub(rf"\b{name}\b", lambda _: by, part) for part in parts[::2]]
    return "".join(parts)


def names(text: str) -> set[str]:
    """Every name in the code of a query: tables, columns, functions, words of the language."""
    return {name for part in _NOT_CODE.split(text)[::2] for name in _NAME.findall(part)}
