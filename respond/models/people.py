"""A person in the state database: what identifies them there, and finding that in any text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Identity:
    """What names one person.

    Attributes:
        user_ids: object ids.
        names: sign-in names, display names, and whatever else they were asked for by.
    """

    user_ids: frozenset[str]
    names: frozenset[str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Each of them in any case, whole; also as Markdown, HTML and JSON escape it."""
        given = sorted({one for one in (*self.user_ids, *self.names) if one.strip()}, key=len, reverse=True)
        return re.compile("|".join(rf"(?<!\w){_spelt(one)}(?!\w)" for one in given) or r"(?!)", re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        return self.pattern.search(text) is not None

    def replaced(self, text: str, by: str) -> str:
        return self.pattern.sub(by, text)


def _spelt(name: str) -> str:
    return "".join(map(_sign, name))


def _sign(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    escaped = [re.escape(sign), rf"&\#0*{ord(sign)};", rf"&\#x0*{ord(sign):x};"]
    escaped.append(re.escape(json.dumps(sign)[1:-1]))  # as `\\uXXXX`
    escaped += {"'": ["&apos;"], '"': ["&quot;"], "&": ["&amp;"], ".": [r"\[\.\]"], " ": [r"\s+"]}.get(sign, [])
    return rf"\\*(?:{'|'.join(escaped)})"
