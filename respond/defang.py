"""Text that came from an attacker, made safe to show: links that nobody follows by accident, no control characters."""

from __future__ import annotations

import re

_LINK = re.compile(r"http(s?)://([^\s<>\"'/?#]*)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def defang(text: str) -> str:
    """`https://evil.example/a.b` becomes `hxxps://evil[.]example/a.b`; control and direction marks become `?`."""
    shown = _CONTROL.sub("?", text)
    while _LINK.search(shown):  # a link can hide in the host of another
        shown = _LINK.sub(lambda link: f"hxxp{link[1].lower()}://{link[2].replace('.', '[.]')}", shown)
    return shown
