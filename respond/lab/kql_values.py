"""DuckDB values as Log Analytics writes them in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A result column; `type` is a Kusto scalar type."""

    name: str
    type: str


def column_type(duckdb_type: str) -> str:
    """The Kusto type that a DuckDB type stands for."""
    from duckdb_kql.types import kusto_type

    return kusto_type(duckdb_type)


def converter(kind: str) -> Callable[[Any], Any]:
    """How values of a Kusto type become JSON: times with `Z`, dynamic as text that holds JSON, no null text."""
    return _CONVERTERS.get(kind, _as_is)


def timestamp(value: Any) -> Any:
    """ISO 8601 with `Z`, and a fraction only if there is one."""
    if not isinstance(value, datetime):
        return value if value is None else f"{value}T00:00:00Z"
    text = value.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def _as_is(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _text_or_null(value: Any) -> str | None:
    return None if value is None else str(value)


def _real(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _timespan(value: Any) -> Any:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    if not isinstance(value, timedelta):
        return _text_or_null(value)
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds * 10:07d}" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}{fraction}"


def _dynamic(value: Any) -> Any:
    """Text that holds JSON; a lone string comes without its quotes."""
    if value is None or value == "null":
        return None
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    return json.loads(value) if value.startswith('"') else value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "guid": _text_or_null,
    "decimal": _text_or_null,
    "datetime": timestamp,
    "timespan": _timespan,
    "real": _real,
    "dynamic": _dynamic,
}
