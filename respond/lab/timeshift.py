"""Moves a story to the present: every complete timestamp by the same number of whole seconds.

Whole seconds, so that fractions stay as they were written, be they three digits or nine.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from respond.lab.columns import Columns, split_naive

_JSON_STARTS = ("{", "[", '"')


def whole_seconds(now: datetime, story_now: datetime) -> timedelta:
    """How far a story told at `story_now` moves to be told at `now`; rounded down, so nothing lies in the future."""
    return timedelta(seconds=(now - story_now) // timedelta(seconds=1))


def shift_timestamp(text: str, shift: timedelta) -> str:
    """The same text moved, if it is a complete ISO 8601 timestamp with `Z`; anything else unchanged.

    Timestamps that stand for "never" at the ends of the calendar stay where moving them would leave it.
    """
    parts = split_naive(text) if text.endswith("Z") else None
    if parts is None:
        return text
    moment, fraction = parts
    try:
        moved = moment + shift
    except OverflowError:
        return text
    return f"{moved.isoformat(timespec='seconds')}{fraction}Z"


def shift_value(value: Any, shift: timedelta) -> Any:
    """A JSON value with every complete timestamp in it moved, also inside strings that hold JSON."""
    if isinstance(value, str):
        if "Z" not in value:
            return value
        moved = shift_timestamp(value, shift)
        return moved if moved != value else shift_json_text(value, shift)
    if isinstance(value, list):
        return [shift_value(item, shift) for item in value]
    if isinstance(value, dict):
        return {key: shift_value(item, shift) for key, item in value.items()}
    return value


def shift_json_text(text: str, shift: timedelta) -> str:
    """A string that holds JSON, with the timestamps in it moved; unchanged, to the letter, if there are none."""
    if not text.startswith(_JSON_STARTS) or "Z" not in text:
        return text
    try:
        value = json.loads(text)
        moved = shift_value(value, shift)
    except (ValueError, RecursionError):
        return text
    return text if moved == value else json.dumps(moved, ensure_ascii=False)


def shift_row(row: dict[str, Any], columns: Columns, shift: timedelta) -> dict[str, Any]:
    """One table row, moved as the types of its columns say."""
    # no timestamp without a Z: most cells are told by that, without a call
    return {
        name: value if type(value) is str and "Z" not in value else _shift_cell(value, columns[name], shift)
        for name, value in row.items()
    }


def _shift_cell(value: Any, kind: str, shift: timedelta) -> Any:
    if kind == "dynamic":
        return shift_value(value, shift)
    if not isinstance(value, str):
        return value
    if kind == "datetime":
        return shift_timestamp(value, shift)
    return shift_json_text(value, shift)
