"""How a line of the log is written.

https://nhairs.github.io/python-json-logger
"""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from respond.observe.bound import fields as bound_fields
from respond.observe.redact import clean, field
from respond.plain_errors import named

_FRAMES = 8


class OneLine(JsonFormatter):
    """Every record, ours or another library's, as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        given = getattr(record, "fields", None)
        fields = _foreign(record) if given is None else given
        line = {clean(str(name)): field(name, value) for name, value in fields.items() if value is not None}
        event = clean(record.msg) if given is not None else "library"
        head = {"ts": moment.replace("+00:00", "Z"), "level": record.levelname.lower(), "event": event}
        return self.jsonify_log_record(head | {name: value for name, value in line.items() if name not in head})


def _foreign(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {**bound_fields(), "logger": record.name, "message": _message(record)}
    if record.exc_info and record.exc_info[1] is not None:
        _, error, trace = record.exc_info
        fields |= {"error": named(error), "where": _where(trace)}
    return fields


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's format string and its arguments do not match
        return str(record.msg)


def _where(trace: TracebackType | None) -> str:
    """The innermost frames, innermost first, in one line."""
    frames = reversed(traceback.extract_tb(trace)[-_FRAMES:])
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
