"""How far respond goes without a person: the one setting above the response plan."""

from __future__ import annotations

from enum import StrEnum


class ResponseMode(StrEnum):
    """What becomes of containment actions, whatever the response plan says.

    OBSERVE sends none of them, ASK sends none without a person's approval, AUTO follows the response plan.
    """

    OBSERVE = "observe"
    ASK = "ask"
    AUTO = "auto"


_STRICT = (ResponseMode.AUTO, ResponseMode.ASK, ResponseMode.OBSERVE)


def stricter_mode(*modes: ResponseMode) -> ResponseMode:
    """The strictest of several modes."""
    return max(modes, key=_STRICT.index)
