"""The answer to a log query, from its JSON to rows: all that a query asked for, or no answer. Pure.

    {"tables": [{"name": "PrimaryResult", "columns": [{"name": …, "type": …}], "rows": [[…]]}], "error": {…}}
    https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format

Whatever else comes with a 200 (nothing, a page of a proxy, another service's JSON, a table cut short) is no answer and
worth another try. It never reads as a table without rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from respond.errors import Service, Transient

_NOTHING = type(None)
_KINDS: Mapping[str, frozenset[type]] = {
    "string": frozenset({str, _NOTHING}),
    "guid": frozenset({str, _NOTHING}),
    "timespan": frozenset({str, _NOTHING}),
    "datetime": frozenset({str, _NOTHING}),
    "bool": frozenset({bool, int, _NOTHING}),
    "int": frozenset({int, _NOTHING}),
    "long": frozenset({int, _NOTHING}),
    "real": frozenset({int, float, str, _NOTHING}),  # NaN and Infinity are text
    "decimal": frozenset({int, float, str, _NOTHING}),
}
"""Type of a column -> what its cells may be in JSON; of `dynamic`, and of a type that is not listed, anything."""


_TOO_LARGE = "-2133196797"
"""E_QUERY_RESULT_SET_TOO_LARGE, of rows or of bytes: https://learn.microsoft.com/azure/data-explorer/kusto/concepts/querylimits"""


class Rows(list[dict[str, Any]]):
    """The rows of one answer by column name: dynamic comes as JSON text, datetimes are aware.

    Attributes:
        partial: the service's reason when they are not all.
        columns: names of the columns, also where there is no row.
        full: it is as large as an answer may be; asking again returns the same.
    """

    partial: str = ""
    full: bool = False
    columns: tuple[str, ...] = ()


def read_rows(body: object) -> Rows:
    """The rows of the first table.

    Raises:
        Transient: the body is no answer to a query.
    """
    if not isinstance(body, dict):
        raise no_answer("without a JSON object")
    reason = _reason(body.get("error"))
    tables = body.get("tables")
    if not isinstance(tables, list) or not tables or not isinstance(tables[0], dict):
        raise no_answer(f"with an error and no table: {reason}" if reason else "without a table")
    rows = _rows(tables[0])
    rows.partial = reason
    rows.full = _TOO_LARGE in _codes(body.get("error"))
    return rows


def no_answer(what: str) -> Transient:
    """The error for what came instead of an answer."""
    return Transient(f"Log Analytics answered {what}"[:400], service=Service.LOGS)


def _rows(table: Mapping[str, Any]) -> Rows:
    columns, cells = table.get("columns"), table.get("rows")
    if not isinstance(columns, list) or not columns or not all(map(_is_column, columns)):
        raise no_answer("with a table without columns")
    if not isinstance(cells, list) or not all(isinstance(row, list) and len(row) == len(columns) for row in cells):
        raise no_answer("with rows that are not as wide as their table")
    names = tuple(str(column["name"]) for column in columns)
    read = [_column(str(column["type"]), values) for column, values in zip(columns, _turned(cells), strict=False)]
    rows = Rows(dict(zip(names, row, strict=True)) for row in _turned(read))
    rows.columns = names
    return rows


def _is_column(column: object) -> bool:
    return isinstance(column, dict) and isinstance(column.get("name"), str) and isinstance(column.get("type"), str)


def _turned(cells: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows as columns, and columns as rows."""
    return list(zip(*cells, strict=True))


def _column(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    found = set(map(type, values))
    if not found <= _KINDS.get(kind, found):
        raise no_answer(f"with something else than {kind} in a column of that type")
    return list(map(_READERS[kind], values)) if kind in _READERS else values


def _moment(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError as error:
        raise no_answer("with a time that is none") from error


def _text(value: str | None) -> str:
    return str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {"datetime": _moment, "guid": _text, "timespan": _text}


def _codes(error: object) -> set[str]:
    """Every code in an error, however deep; depth and width are bounded by those of the answer."""
    if isinstance(error, list):
        return set().union(*map(_codes, error))
    if not isinstance(error, dict):
        return set()
    inside = (_codes(error.get(name)) for name in ("details", "innererror", "innerError"))
    return {str(error.get("code") or "")}.union(*inside)


def _reason(error: object) -> str:
    """Why rows are missing; empty where nothing says so."""
    if not error:
        return ""
    said = error if isinstance(error, dict) else {}
    return str(said.get("message") or said.get("code") or "partial result")
