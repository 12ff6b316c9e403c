"""The `timespan` of a query: an ISO 8601 duration or interval."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

Window = tuple[datetime, datetime]
"""From and to, both included, UTC."""

_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def read_window(text: str, now: datetime) -> Window:
    """`P1D` is the day up to now; `start/end`, `start/P1D` and `P1D/end` are what they say.

    Raises:
        ValueError: none of these. Months and years are not taken: they have no fixed length.
    """
    first, slash, second = text.strip().partition("/")
    try:
        if not slash:
            return now - _duration(first), now
        if first.startswith("P"):
            end = _moment(second)
            return end - _duration(first), end
        start = _moment(first)
        return start, start + _duration(second) if second.startswith("P") else _moment(second)
    except OverflowError as error:
        raise ValueError(f"{text!r} leaves the calendar") from error


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    return timedelta(**{unit: float(value) for unit, value in zip(_UNITS, match.groups(), strict=True) if value})


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
