"""Addresses whose last part Entra does not show, `203.0.113.XXX`: compared by what is visible. Pure.

Such an address must neither speak against a sign-in nor clear it. It is the same as no other, and different only from
those whose visible part differs.
https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq
"""

from __future__ import annotations

import re

from respond.addresses import same_address

_PARTS = re.compile(r"[.:]")
_HIDDEN = re.compile(r"x+", re.IGNORECASE)


def is_hidden(ip: str) -> bool:
    """Whether a part of the address is not shown."""
    return any(_HIDDEN.fullmatch(part) for part in _PARTS.split(ip))


def may_be_same(one: str, other: str) -> bool:
    """Whether two texts name one address as far as both are visible."""
    if not one or not other:
        return False
    if not is_hidden(one) and not is_hidden(other):
        return same_address(one, other)
    first, second = _PARTS.split(one.lower()), _PARTS.split(other.lower())
    return len(first) == len(second) and all(
        mine == theirs or _HIDDEN.fullmatch(mine) or _HIDDEN.fullmatch(theirs)
        for mine, theirs in zip(first, second, strict=True)
    )
