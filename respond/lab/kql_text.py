"""KQL as text: what is code, what is a string or a comment; and the few rewrites in front of the engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_NOT_CODE = re.compile(
    r"""( (?<!\w)[hH]?@"(?:[^"]|"")*" | (?<!\w)[hH]?@'(?:[^']|'')*'
        | (?<!\w)[hH]?"(?:\\.|[^"\\\n])*" | (?<!\w)[hH]?'(?:\\.|[^'\\\n])*'
        | ```.*?``` | //[^\n]* )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER_COMPARED = re.compile(r"\b([A-Za-z_]\w*)(\s*[=!]=\s*)(-?\d+)(?![\w.])")
_OWN_NAME = re.compile(r"(?:\blet\s+|\.\s*)([A-Za-z_]\w*)|\b([A-Za-z_]\w*)\s*=(?![=~])")
_IF_EXISTS = re.compile(r'\bcolumn_ifexists\(\s*"(\w+)"\s*,\s*("[^"]*"|\w+\(null\)|\w+)\s*\)')
_NAME = re.compile(r"[A-Za-z_]\w*")


def code(query: str) -> str:
    """The query with strings and comments blanked out, every other character in its place."""
    return _NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), query)


def names(query: str) -> set[str]:
    """Every identifier in the query, keywords included."""
    return set(_NAME.findall(code(query)))


def own_names(query: str) -> set[str]:
    """Identifiers that the query makes itself, or that are members of a value: `let x`, `x = …`, `d.x`."""
    return {match[1] or match[2] for match in _OWN_NAME.finditer(code(query))}


def rewrite(query: str, text_columns: Collection[str]) -> str:
    """Spell what Kusto takes the way the engine takes it.

    `ResultType == 0` on a text column: Kusto compares as text, the engine fails on the first row that is no number.
    `h"…"` only hides a literal from telemetry; the engine would read the `h` as something else.
    """
    parts = _NOT_CODE.split(query)
    for index, part in enumerate(parts):
        if index % 2:
            parts[index] = part[1:] if part[:1] in "hH" else part
        else:
            parts[index] = _NUMBER_COMPARED.sub(lambda match: _quoted(match, text_columns), part)
    return "".join(parts)


def with_columns(query: str, tables: Mapping[str, Collection[str]]) -> str:
    """`column_ifexists("Name", default)` answered: the column where the table before it has it, else the default."""

    def answered(match: re.Match[str]) -> str:
        before = [name for name in _NAME.findall(code(query[: match.start()])) if name in tables]
        return match[1] if before and match[1] in tables[before[-1]] else match[2]

    return _IF_EXISTS.sub(answered, query)


def operator_before(query: str, name: str) -> str:
    """The operator in whose clause a name first stands: `where` in `T | where Name == 1`; empty at the start."""
    text = code(query)
    match = re.search(rf"\b{re.escape(name)}\b", text)
    operators = re.findall(r"\|\s*([a-z][\w-]*)", text[: match.start()] if match else text)
    return operators[-1] if operators else ""


def operator_after(query: str, table: str) -> str:
    """The operator a table is first piped into: `where` in `T | where …`; empty when there is none."""
    match = re.search(rf"\b{re.escape(table)}\b[^|]*\|\s*([a-z][\w-]*)", code(query))
    return match[1] if match else ""


def _quoted(match: re.Match[str], text_columns: Collection[str]) -> str:
    name, operator, number = match.groups()
    return f'{name}{operator}"{number}"' if name in text_columns else match[0]
