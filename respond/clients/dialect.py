"""What Defender XDR advanced hunting says differently from a workspace, hidden here and nowhere else. Pure.

A query is written for the workspace's tables; `for_defender` makes of it the same question for advanced hunting, and
`read_answer` makes of what comes back the rows that the workspace would have sent. Actions know nothing of it.

    Timestamp instead of TimeGenerated; Isp instead of ISP; text where the workspace has dynamic, and numbers where it
    has text. Which columns these are follows from `log_schema.json`.
    https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables
    https://learn.microsoft.com/graph/api/security-security-runhuntingquery

A column that Defender does not document is named all the same: when the service does not know it, the query is asked
without it and the column is a gap. Sign-ins are not translated: EntraIdSignInEvents has neither AuthenticationProtocol
nor OriginalTransferMethod, and a query that looks for them would find nothing, which reads as no attack.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from respond.clients.degrade import names, replaced
from respond.errors import Service, Transient
from respond.log_schema import Columns, Tables, sentinel_tables, xdr_tables

MOVABLE = frozenset(
    {
        "CloudAppEvents",
        "EmailAttachmentInfo",
        "EmailEvents",
        "EmailPostDeliveryEvents",
        "EmailUrlInfo",
        "MessageEvents",
        "MessageUrlInfo",
        "UrlClickEvents",
    }
)
"""Tables that a workspace may hold a copy of, and that Defender XDR can be asked for instead."""

_CASTS = {("dynamic", "string"): "parse_json({})"}
"""Type in the workspace, type in Defender -> what makes the one of the other, for all that differ in `MOVABLE`."""


def for_defender(text: str) -> str:
    """The same query, for the tables of advanced hunting. Strings and comments stay as they are."""
    used = names(text)
    for table in sorted(used & MOVABLE):
        made = [f"{column} = {how}" for column, how in sorted(differing(table).items()) if column in used]
        if made:
            text = replaced(text, table, f"{table} | extend {', '.join(made)}")
    return replaced(text, "TimeGenerated", "Timestamp")


@cache
def differing(table: str) -> Mapping[str, str]:
    """Columns of the workspace that Defender spells or types in another way -> the KQL that makes them.

    TimeGenerated is not among them: it is renamed throughout, so that the service can still filter by time.
    """
    theirs = xdr_tables()[table]
    spelled = {column.lower(): column for column in theirs}
    found = {}
    for column, kind in sentinel_tables()[table].items():
        name = column if column in theirs else spelled.get(column.lower(), "")
        if name and kind != theirs[name]:
            found[column] = _CASTS[kind, theirs[name]].format(name)
        elif name and name != column:
            found[column] = name
    return found


@cache
def hunting_tables() -> Tables:
    """Table -> columns that a translated query may name: Defender's, and the workspace's, which it may have as well."""
    ours = sentinel_tables()
    return {table: {**_renamed(ours.get(table, {})), **columns} for table, columns in xdr_tables().items()}


def _renamed(columns: Columns) -> Columns:
    return {"Timestamp" if name == "TimeGenerated" else name: kind for name, kind in columns.items()}


def read_answer(answer: object) -> tuple[list[dict[str, Any]], str]:
    """The rows of `{"schema", "results"}` as the workspace would send them.

    Datetimes are aware, dynamic is JSON text, yes and no are no numbers, and no text is null.

    Returns:
        The rows, and the service's reason when they are not all.

    Raises:
        Transient: there is no table in it, as in an empty answer.
    """
    body = answer if isinstance(answer, dict) else {}
    columns, results = _any_case(body, "schema"), _any_case(body, "results")
    if not isinstance(results, list) or not isinstance(columns, list) or not columns:
        raise Transient("advanced hunting answered without a table", service=Service.GRAPH)
    # Older answers spell it Name and Type.
    kinds = {_any_case(column, "name"): _any_case(column, "type") for column in columns}
    if not all(isinstance(part, str) for pair in kinds.items() for part in pair):
        raise Transient("advanced hunting answered with columns that have no name or type", service=Service.GRAPH)
    readers = {name: _READERS.get(kind.removeprefix("System."), _as_is) for name, kind in kinds.items()}
    rows = [{name: read(row.get(name)) for name, read in readers.items()} for row in results]
    return rows, _reason(_any_case(body, "error"))


def _any_case(part: Mapping[str, Any], name: str) -> Any:
    return part.get(name, part.get(name.capitalize()))


def _reason(error: object) -> str:
    if not error:
        return ""
    said = error if isinstance(error, dict) else {}
    return str(said.get("message") or said.get("code") or "partial result")


def _as_is(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str | None):
        raise TypeError("text is needed")
    return value or ""


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    found = datetime.fromisoformat(str(value))
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _flag(value: Any) -> bool | None:
    """SByte: 0, 1, or a JSON boolean, or one of them as text."""
    if value is None or value == "":
        return None
    return _FLAGS[str(value).strip().lower()]


def _whole(value: Any) -> int | None:
    return None if value is None or value == "" else int(value)


def _dynamic(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_FLAGS = {"1": True, "true": True, "0": False, "false": False}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "String": _text,
    "DateTime": _moment,
    "SByte": _flag,
    "Boolean": _flag,
    "Int32": _whole,
    "Int64": _whole,
    "Object": _dynamic,
}
"""Type in the answer's schema -> how its values are read."""
