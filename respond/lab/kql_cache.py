"""Translations, kept: the parser takes up to a tenth of a second for a query, and the same ones come again and again.

They differ in the values of their first lines, `let p_name = <literal>;`. The parser sees a token in the place of each
value, and the values are put where the SQL has the tokens. A query whose tokens do not come out as they went in is
parsed as it is.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_KEPT = 400
_STRING = r'"[ !#-&(-\[\]-~]*"'
"""Printable ASCII without quotes and backslashes: it is spelled the same in KQL, JSON and SQL."""

_LINE = re.compile(
    rf"^let (p_\w+) = (?:(?P<text>{_STRING})|datetime\((?P<time>[0-9T:.+-]+Z)\)"
    rf"|dynamic\(\[(?P<list>{_STRING}(?:, {_STRING})*)\]\));$",
    re.MULTILINE,
)
Sql = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class _Value:
    """One value, as it stands in the query and in the SQL, and what stands for it."""

    token: str
    spelled: str


class Translations:
    """The newest translations, shared by all engines of a process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[frozenset[str], str], Sql] = OrderedDict()
        self._lock = threading.Lock()

    def sql(self, text: str, tables: frozenset[str], translate: Callable[[str], Sql]) -> Sql:
        """The SQL of a query.

        Args:
            tables: what there is, as `Table.Column`: the same text means something else without it.
            translate: makes SQL of a text; slow.
        """
        form, values = _tokens(text)
        if not values:
            return translate(text)
        with self._lock:
            found = self._kept.get((tables, form))
        if found is None:
            found = translate(form)
            with self._lock:
                self._kept[tables, form] = found
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        restored = _restored(found[0], values)
        return translate(text) if restored is None else (restored, found[1])


def _tokens(text: str) -> tuple[str, list[_Value]]:
    """The query with tokens, and the values they stand for. What is escaped in any way stays in the text."""
    values: list[_Value] = []

    def string(literal: str) -> str:
        token = f"LabToken{len(values):04d}X"
        values.append(_Value(token, literal[1:-1]))
        return f'"{token}"'

    def replaced(match: re.Match[str]) -> str:
        if match["text"] is not None:
            return f"let {match[1]} = {string(match['text'])};"
        if match["list"] is not None:
            return f"let {match[1]} = dynamic([{', '.join(map(string, re.findall(_STRING, match['list'])))}]);"
        token = f"1801-03-07T11:13:17.{len(values):06d}Z"
        values.append(_Value(token, match["time"]))
        return f"let {match[1]} = datetime({token});"

    return _LINE.sub(replaced, text), values


def _restored(sql: str, values: list[_Value]) -> str | None:
    """The SQL with the values; None when a token stands where it cannot be replaced, or has vanished."""
    for value in values:
        if value.token not in sql:
            return None
    # One pass, so that no value is taken for a token.
    by_token = {value.token: value.spelled for value in values}
    return re.sub("|".join(map(re.escape, by_token)), lambda match: by_token[match[0]], sql)
