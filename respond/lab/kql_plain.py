"""Makes the SQL of a query plain where the types of columns are known: planning it takes two thirds of the time.

The translator knows no types. For each column that it reads it writes a choice by `typeof`, a hundred of them in a long
query, and DuckDB parses and plans every branch, every time. Where a name can only be one column of the tables, the
branch that its type takes is left. The answer is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from respond.lab import kql_text
from respond.lab.columns import Columns

_SQL_TYPES = {"string": "VARCHAR", "dynamic": "JSON"}
_TOKEN = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \b(?:CASE|WHEN|THEN|ELSE|END)\b""", re.VERBOSE)
_BY_TYPE = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*"
        | CASE[ ](?:typeof\("(?P<simple>\w+)"\)[ ]WHEN | WHEN[ ]typeof\("(?P<searched>\w+)"\)[ ]=[ ]'JSON'[ ]THEN)""",
    re.VERBOSE,
)
_MOMENT = re.compile(
    r"COALESCE\((TRY_CAST\('(\d{4}-[0-9T:.+-]+Z)' AS TIMESTAMPTZ\) AT TIME ZONE 'UTC'), "
    r"try_strptime\(CAST\('\2' AS VARCHAR\), \[[^\]]*\]\)\)"
)
"""A literal in ISO 8601 needs no second attempt at other spellings."""
_RETYPED = re.compile(r"\b(?:mv-expand|mv-apply|parse|parse-\w+|evaluate|externaldata|datatable)\b[^|;]*|\w+\s*:\s*\w+")


def plain(sql: str, query: str, tables: Mapping[str, Columns]) -> str:
    """The SQL without the branches that no value can take.

    Args:
        query: what it was translated from. A name that the query makes itself can be of any type.
    """
    code = kql_text.code(query)
    retyped = {name for match in _RETYPED.finditer(code) for name in re.findall(r"\w+", match[0])}
    used = tables if "*" in code else {name: tables[name] for name in kql_text.names(query) & set(tables)}
    types = _types(used)
    for name in kql_text.own_names(query) | retyped:
        types.pop(name, None)
    return _decided(_MOMENT.sub(r"(\1)", sql), types)


def _types(tables: Mapping[str, Columns]) -> dict[str, str]:
    """The SQL type of each column name that is text, or JSON, in every table that has it."""
    found: dict[str, set[str]] = {}
    for columns in tables.values():
        for name, kind in columns.items():
            found.setdefault(name, set()).add(_SQL_TYPES.get(kind, ""))
    return {name: kind for name, (kind, *others) in found.items() if kind and not others}


def _decided(sql: str, types: Mapping[str, str]) -> str:
    found, position = [], 0
    while match := _BY_TYPE.search(sql, position):
        kind = types.get(match["simple"] or match["searched"] or "")
        case = _case(sql, match.start()) if kind else None
        branch = case.taken(kind, simple=bool(match["simple"])) if case and kind else None
        if case is None or branch is None:
            found.append(sql[position : match.end()])
            position = match.end()
            continue
        found += [sql[position : match.start()], "(", _decided(branch, types), ")"]
        position = case.end
    return "".join([*found, sql[position:]])


@dataclass(frozen=True)
class _Case:
    """A CASE expression: what each WHEN asks and answers, the ELSE, and where in the SQL it ends."""

    whens: list[tuple[str, str]]
    otherwise: str
    end: int

    def taken(self, kind: str, *, simple: bool) -> str | None:
        """The branch for a type; None when there is more to it than the type."""
        if simple:
            return next((then for when, then in self.whens if when == f"'{kind}'"), self.otherwise) or None
        if len(self.whens) != 1:
            return None
        return (self.whens[0][1] if kind == "JSON" else self.otherwise) or None


def _case(sql: str, start: int) -> _Case | None:
    """Read the CASE that starts there; None if it does not end."""
    depth, begin, last = 0, 0, ""
    parts: list[tuple[str, str]] = []
    for token in _TOKEN.finditer(sql, start):
        word = token[0]
        if word == "CASE":
            depth += 1
        if depth == 1 and word in ("WHEN", "THEN", "ELSE", "END"):
            parts.append((last, sql[begin : token.start()].strip()))
            begin, last = token.end(), word
        if word == "END":
            depth -= 1
            if depth == 0:
                asked, answers, otherwise = (
                    [text for word, text in parts if word == wanted] for wanted in ("WHEN", "THEN", "ELSE")
                )
                return _Case(list(zip(asked, answers, strict=True)), "".join(otherwise), token.end())
    return None
