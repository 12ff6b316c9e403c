"""JSON from strangers: strict where Python's own reader is lenient, and safe to store.

    https://www.rfc-editor.org/rfc/rfc8259

Python takes NaN and Infinity, makes an infinity of 1e999, and calls itself for every level of nesting. It keeps half a
surrogate pair and U+0000, which can stand in an escaped string (a name cut off in the middle of an emoji is enough) and
which no UTF-8 file and no PostgreSQL column takes: an attacker's device name must not cost us the delivery, so they are
replaced, not refused. Of a name that is given twice the last value counts.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import NoReturn, TypeAlias

DEEPEST = 100
"""Levels of lists and objects in each other."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_UNSTORABLE_ESCAPE = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_UNSTORABLE = re.compile("[\ud800-\udfff\0]")


class NotJson(ValueError):
    """The text completes "the body …", and quotes nothing of it."""


def parse(text: bytes) -> Json:
    """The value that a text stands for.

    Raises:
        NotJson: it stands for none, or for one that is nested too deeply.
    """
    if _depth(text) > DEEPEST:
        raise NotJson(f"is nested more than {DEEPEST} levels deep")
    try:
        value: Json = json.loads(text.decode("utf-8-sig"), parse_constant=_refuse, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON (line {error.lineno}, column {error.colno})") from None
    except NotJson:
        raise
    except ValueError:  # an integer of more digits than Python cares to read
        raise NotJson("has a number that is too long") from None
    return _storable(value) if _UNSTORABLE_ESCAPE.search(text) else value


def _depth(text: bytes) -> int:
    """How deep the reader would have to go; it gets no further than a text makes sense, and so far this is exact.

    Where escaped quotes are gone, every other piece between quotes is outside of strings.
    """
    outside = text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _refuse(_: str) -> NoReturn:
    raise NotJson("has NaN or an infinity, which JSON has not")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _storable(value: Json) -> Json:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", name): _storable(item) for name, item in value.items()}
    return value
