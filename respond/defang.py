"""Text that came from an attacker, made safe to show: links that nobody follows by accident, no control characters."""

from __future__ import annotations

import re

_LINK = re.compile(r"\bhttps?://[^\s<>\"']+", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def defang(text: str) -> str:
    """`https://evil.example/a.b` becomes `hxxps://evil[.]example/a.b`; control and direction marks become `?`."""
    return _LINK.sub(lambda link: _defang_link(link[0]), _CONTROL.sub("?", text))


def _defang_link(link: str) -> str:
    scheme, rest = link.split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{scheme.lower().replace('tt', 'xx')}://{host.replace('.', '[.]')}{slash}{path}"
