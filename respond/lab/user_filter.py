"""`$filter` on users, as far as the lab takes it: `eq`, `in` and `any`, joined by `or`, as SQL over `lab.db`.

What a property takes with and without the advanced query parameters (`ConsistencyLevel: eventual` and `$count=true`):
https://learn.microsoft.com/graph/aad-advanced-queries
Here `onPremisesSamAccountName` alone needs them. Text is compared without regard to case; whether Graph tells `smtp:`
from `SMTP:` in `proxyAddresses` is not documented, so the lab does.
"""

from __future__ import annotations

import re

from respond.lab.odata import GraphError, bad_request, unsupported
from respond.lab.web import LabRequest

_STRING = r"'(?:[^']|'')*'"
_CLAUSE = re.compile(
    rf"\s*(?:(?P<one>\w+)\s+eq\s+(?P<value>{_STRING})"
    rf"|(?P<many>\w+)\s+in\s*\(\s*(?P<values>{_STRING}(?:\s*,\s*{_STRING})*)\s*\)"
    rf"|proxyAddresses/any\(\s*(?P<each>\w+)\s*:\s*(?P=each)\s+eq\s+(?P<proxy>{_STRING})\s*\))\s*"
)
_OR = re.compile(r"or\b")
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_MOST = 15
_COLUMNS = {
    "id": "key",
    "userPrincipalName": "name",
    "mail": "json_extract(body, '$.mail') COLLATE NOCASE",
    "onPremisesSecurityIdentifier": "json_extract(body, '$.onPremisesSecurityIdentifier') COLLATE NOCASE",
    "onPremisesSamAccountName": "json_extract(body, '$.onPremisesSamAccountName') COLLATE NOCASE",
}
_ADVANCED = frozenset({"onPremisesSamAccountName"})
_PROXY = (
    "EXISTS (SELECT 1 FROM json_each(body, '$.proxyAddresses')"
    " WHERE value = ? COLLATE NOCASE AND substr(value, 1, 5) = substr(?, 1, 5))"
)


def read_filter(request: LabRequest) -> tuple[str, list[str]] | None:
    """The condition and its values for `LabState.select`; None without a filter.

    Raises:
        GraphError: a filter that is not taken, or not without the advanced query parameters.
    """
    text = request.query.get("$filter")
    if text is None:
        return None
    conditions, values, at = [], [], 0
    while at >= 0:
        clause = _CLAUSE.match(text, at)
        if clause is None:
            raise unsupported(text)
        condition, added = _sql(request, clause)
        conditions.append(condition)
        values += added
        at = _next(text, clause.end())
    if len(conditions) > _MOST:
        raise _too_many(len(conditions))
    return " OR ".join(conditions), values


def _next(text: str, end: int) -> int:
    """Where the clause after this one begins; -1 at the end of the text."""
    if end == len(text):
        return -1
    joined = _OR.match(text, end)
    if joined is None:
        raise unsupported(text)
    return joined.end()


def _sql(request: LabRequest, clause: re.Match[str]) -> tuple[str, list[str]]:
    if clause["proxy"]:
        value = _plain(clause["proxy"])
        return _PROXY, [*value, *value]
    name, values = clause["one"] or clause["many"], _plain(clause["value"] or clause["values"])
    if name not in _COLUMNS:
        raise unsupported(clause[0])
    if name in _ADVANCED and not _is_advanced(request):
        reason = f"Unsupported or invalid query filter clause specified for property '{name}' of resource 'User'."
        raise bad_request(reason, "Request_UnsupportedQuery")
    if len(values) > _MOST:
        raise _too_many(len(values))
    absent = f" OR {_COLUMNS[name]} IS NULL" if "" in values else ""
    return f"{_COLUMNS[name]} IN ({','.join('?' * len(values))}){absent}", values


def _plain(text: str) -> list[str]:
    return [value.replace("''", "'") for value in _TEXT.findall(text)]


def _is_advanced(request: LabRequest) -> bool:
    asked = request.headers.get("consistencylevel", "").lower(), request.query.get("$count", "").lower()
    return asked == ("eventual", "true")


def _too_many(count: int) -> GraphError:
    reason = "Too many child clauses specified in search filter expression containing 'OR' operators"
    return bad_request(f"{reason}: {count}. Max allowed: {_MOST}.", "Request_UnsupportedQuery")
