"""The last resort before a line is written: no secret, no name, no live link, no line break leaves in a value. Pure.

Nothing of the kind should come this far; what is replaced here was a mistake elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import Enum

from respond.defang import defang
from respond.models.base import iso_z

REDACTED = "[redacted]"
NAMELESS = "[user]"
"""Instead of a UPN or a mail address. Lines tell people apart by object id, case and run."""
LONGEST = 2_000
"""Characters that are kept of one value."""

_READ = 10_000
"""Characters that are looked at; a secret must not show because it was cut off before its end could be seen."""
_MOST_ITEMS = 100

_WORD = (
    r"(?:secret|passw(?:or)?d|passwd|pwd|token|assertion|signature|api[_-]?key|account_?key|access_?key"
    r"|authorization|credential|cookie|device_code|user_code)"
)
"""How the name of a secret ends; what stands before it is not looked at, so that no text takes long."""

_SECRET_NAME = re.compile(rf"(?:{_WORD}|(?<!.)sig)$", re.IGNORECASE)
_IS = r"\s{0,4}[:=]\s{0,4}"
_VALUE = r"""(?:\\?"[^"]*"?|'[^']*'?|[^\s&;,"'<>]+)"""
_SCHEMED = r"""[A-Za-z-]{1,20}\s{1,4}[^\s"',;]+"""

_BEFORE = (
    # a header, whatever its scheme: Basic, Bearer, SharedAccessSignature
    rf"""\b((?:proxy-)?authorization\\?["']?{_IS}["']?)(?:{_SCHEMED}|{_VALUE})""",
    rf"""\b((?:bearer|sharedaccesssignature)\s{{1,4}}){_VALUE}""",
    # a form, a connection string, or a query inside a query
    rf"""({_WORD}(?:=|%3D)){_VALUE}""",
    rf"""((?:(?<![A-Za-z0-9])|(?<=%3F)|(?<=%26))sig(?:=|%3D)){_VALUE}""",
    # a member of a JSON object or of a mapping that was printed
    rf"""({_WORD}\\?["']\s{{0,4}}:\s{{0,4}}){_VALUE}""",
    r"""\b((?:set-cookie|cookie|client[_-]secret|passw(?:or)?d)\s{0,4}:\s{0,4})[^\s,;]+""",
)
"""What stands before a secret, as group 1, and the secret."""

_RULES = (
    # Entra's tokens begin with an open brace and a quote, in base64.
    (re.compile(r"eyJ[\w-]{4,}(?:\.[\w=-]*)*"), REDACTED),
    (re.compile(r"(://)[^\s/?#\"'<>@]*(?:@[^\s/?#\"'<>@]*)*@"), rf"\1{REDACTED}@"),
    *((re.compile(pattern, re.IGNORECASE), rf"\1{REDACTED}") for pattern in _BEFORE),
    (re.compile(r"""[^\s@"<>,;:()\[\]/?=&]{1,113}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"""), NAMELESS),
)


def clean(text: str) -> str:
    """One value, fit for a line: no secrets or names, links defanged, no control characters, at most 2,000 long."""
    shown = text[:_READ]
    for pattern, instead in _RULES:
        shown = pattern.sub(instead, shown)
    shown = defang(shown).replace("\t", " ")
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def field(name: str, value: object) -> object:
    """The value of a named field, as JSON takes it; numbers stay numbers, times end in Z, durations are seconds."""
    if _SECRET_NAME.search(name) and isinstance(value, str | bytes) and value:
        return REDACTED
    return _plain(value)


def _plain(value: object) -> object:  # noqa: PLR0911 - one arm a kind
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value)
        case int():
            return value if abs(value) < 1 << 63 else clean(hex(value))
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return iso_z(value)
        case timedelta():
            return value.total_seconds()
        case str():
            return clean(value)
        case Mapping():
            return {clean(str(key)): field(str(key), item) for key, item in list(value.items())[:_MOST_ITEMS]}
        case list() | tuple() | AbstractSet():
            return [_plain(item) for item in list(value)[:_MOST_ITEMS]]
    return clean(str(value))
