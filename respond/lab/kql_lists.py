"""Long lists of plain strings go around the parser: it takes 0.1 to 0.3 ms for each, and queries name a thousand users.

The parser sees a short list of random tokens in their place, and the list itself is put where the SQL has the tokens.
That is only done where it is certain what the SQL means: a list as JSON, or the words of a `has_any`. If the tokens are
anywhere else, the whole query is parsed after all.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

_LONG = 50
_AT_ONCE = 100
"""Words in one regular expression: with ten times as many, RE2 is fifty times slower on a row."""

_STRING = r'"[^"\\\n\r]*"'
_LIST = re.compile(rf"\bdynamic\(\s*\[\s*({_STRING}(?:\s*,\s*{_STRING})*)\s*\]\s*\)")


@dataclass(frozen=True)
class LongList:
    """Values, and the tokens that stand for them: one for every hundred."""

    values: list[str]
    tokens: list[str]


def shorten(query: str) -> tuple[str, list[LongList]]:
    """The query with tokens for the values of each long list, and the lists."""
    lists: list[LongList] = []
    # of several words the tokens of a `has_all` would mean any
    if len(query) < _LONG or re.search(r"\bhas_all\b", query):
        return query, lists

    def replaced(match: re.Match[str]) -> str:
        values = [text[1:-1] for text in re.findall(_STRING, match[1])]
        if len(values) < _LONG:
            return match[0]
        tokens = [f"lab{secrets.token_hex(16)}" for _ in range(0, len(values), _AT_ONCE)]
        lists.append(LongList(values, tokens))
        return f"dynamic({json.dumps(tokens)})"

    return _LIST.sub(replaced, query), lists


def restore(sql: str, lists: list[LongList]) -> str | None:
    """The SQL with the values in place of the tokens; None when some are where they cannot be replaced."""
    for found in lists:
        sql = sql.replace(_quoted(_as_json(found.tokens)), _quoted(_as_json(found.values)))
        for number, token in enumerate(found.tokens):
            if token in sql:
                words = found.values[number * _AT_ONCE :][:_AT_ONCE]
                any_of_them = "|".join(_escaped(word) for word in words)
                sql = sql.replace(f"regexp_escape('{token}')", _quoted(f"(?:{any_of_them})"))
    return None if any(token in sql for found in lists for token in found.tokens) else sql


def _as_json(values: list[str]) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(word: str) -> str:
    """As RE2 quotes a word: everything but letters, digits, underscores and what is not ASCII."""
    return re.sub(r"([^\w\x80-\U0010ffff])", r"\\\1", word, flags=re.ASCII)
