"""What a person may give as a user: a UPN, or an object id."""

from __future__ import annotations

import re

from respond.errors import UsageError

_SHOWN = 40
_GUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
# Characters Entra allows in a UPN, and those that old synced ones hold. Guests: name_home.example#EXT#@tenant.example.
_UPN = re.compile(r"[A-Za-z0-9'.\-_!#^~$&+{}]{1,128}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def parse_who(text: str) -> str:
    """The UPN or object id, as given.

    Raises:
        UsageError: neither. The text is shown shortened and without control characters.
    """
    cleaned = text.strip(" ")
    if _GUID.fullmatch(cleaned):
        return cleaned.lower()
    if _UPN.fullmatch(cleaned):
        return cleaned
    shown = ascii(text[:_SHOWN])[1:-1] + ("…" if len(text) > _SHOWN else "")
    raise UsageError(f"--user: {shown} is neither a user principal name (name@domain) nor an object id")
