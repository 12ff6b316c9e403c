"""KQL text: loading a query and putting values into its `let` lines.

Log Analytics does not take `declare query_parameters`, so values become literals. Each query starts with lines
`let p_name = <literal>;` that make it valid as it lies on disk; `bind` replaces each literal by one made here, and
here only. Escaping follows Microsoft's own `KustoFacts.GetStringLiteral` (Kusto-Query-Language, Parser/KustoFacts.cs);
what no literal can carry is refused instead of dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from respond.errors import BadQuery

Value = str | bool | int | datetime | Sequence[str]

_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# Control characters, the line ends that are not \n, and lone surrogates: no value of a log column holds them, and
# the engines disagree on what they mean inside a literal.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_LONGEST = 4096
_PARAMETER = re.compile(r"^let (p_\w+) = .+;$", re.MULTILINE)


def quote(value: Value) -> str:
    """One KQL literal.

    Raises:
        BadQuery: the text has a character that no literal carries, or is longer than 4,096 characters.
    """
    if isinstance(value, str):
        return f'"{_checked(value).translate(_ESCAPES)}"'
    if isinstance(value, datetime):
        return f"datetime({value.astimezone(UTC).isoformat().replace('+00:00', 'Z')})"
    if isinstance(value, bool):
        return f"bool({str(value).lower()})"
    if isinstance(value, int):
        return f"long({value})"
    return f"dynamic([{', '.join(quote(item) for item in value)}])"


def _checked(text: str) -> str:
    if len(text) > _LONGEST:
        raise BadQuery(f"a value of {len(text)} characters is too long for a query; the limit is {_LONGEST}")
    found = _UNSAFE.search(text)
    if found:
        raise BadQuery(f"a value holds U+{ord(found[0]):04X}, which a query cannot carry")
    return text


def can_carry(text: str) -> bool:
    """Whether a literal can hold this text."""
    return len(text) <= _LONGEST and not _UNSAFE.search(text)


def bind(text: str, values: Mapping[str, Value]) -> str:
    """Replace the literal of every `let p_name = …;` line.

    Raises:
        BadQuery: a parameter without a value, or a value without a parameter: the query and its action disagree.
    """
    wanted = _PARAMETER.findall(text)
    given = {f"p_{name}": value for name, value in values.items()}
    if set(wanted) != set(given):
        raise BadQuery(f"the query takes {sorted(wanted)} and was given {sorted(given)}")
    return _PARAMETER.sub(lambda line: f"let {line[1]} = {quote(given[line[1]])};", text)


@cache
def load(path: Path) -> str:
    """The text of one query file."""
    return path.read_text(encoding="utf-8")
