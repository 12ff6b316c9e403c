"""Durations as people write them: `90m`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FORM = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
_LONGEST = timedelta(days=365)
_LONGEST_KEPT = timedelta(days=3650)


def parse_duration(text: str, *, longest: timedelta = _LONGEST) -> timedelta:
    """Read one duration.

    Raises:
        ValueError: not of the form number + unit (ms, s, m, h, d), or longer than `longest`.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a duration; write 90m, 24h or 7d")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if length > longest:
        raise ValueError(f"{text[:40]!r} is longer than {longest.days} days")
    return length


def format_duration(length: timedelta) -> str:
    """The shortest exact spelling; `parse_duration` reads it back."""
    milliseconds = round(length.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{value!r} has no unit; write 90m, 24h or 7d")


def _read_signed(value: object) -> timedelta:
    if isinstance(value, str) and value.strip().startswith("-"):
        return -parse_duration(value.strip()[1:])
    return _read(value)


def _format_signed(length: timedelta) -> str:
    return f"-{format_duration(-length)}" if length < timedelta(0) else format_duration(length)


def parse_kept(text: str) -> timedelta:
    """As `parse_duration`, for how long something is kept: up to 3650 days."""
    return parse_duration(text, longest=_LONGEST_KEPT)


def _read_kept(value: object) -> object:
    return parse_kept(value) if isinstance(value, str) else value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("has to be longer than nothing; write 90m, 24h or 7d")
    return value


Duration = Annotated[timedelta, BeforeValidator(_read), PlainSerializer(format_duration, return_type=str)]
"""A `timedelta` that settings and models spell the way people do."""

SignedDuration = Annotated[timedelta, BeforeValidator(_read_signed), PlainSerializer(_format_signed, return_type=str)]
"""The same, forwards or backwards: `30m`, `-20m`."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
"""A `Duration` longer than nothing."""

KeptDuration = Annotated[PositiveDuration, BeforeValidator(_read_kept)]
"""How long something is kept: longer than nothing, and up to 3650 days."""
