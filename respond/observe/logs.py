"""Structured logs: one JSON object a line, one line an event.

https://nhairs.github.io/python-json-logger

`ts` (UTC, milliseconds, Z), `level`, `event`, then the fields. What ended is told, not what began. Other libraries'
warnings come out in the same form, so that everything a service writes to stderr can be read by one parser.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from respond.observe.bound import bound as bound  # noqa: PLC0414 - callers find it beside `log`
from respond.observe.bound import fields as bound_fields
from respond.observe.redact import clean, field
from respond.plain_errors import named

_logger = logging.getLogger("respond")
_FRAMES = 8


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        return logging.getLevelNamesMapping()[self.upper()]


def log(event: str, /, *, level: Level = Level.INFO, **fields: object) -> None:
    """Write one line.

    Args:
        event: short words with hyphens: `run-done`.
        fields: on top of what is bound; None is left out. Never a token, a message body or a live link.
    """
    if _logger.isEnabledFor(level.number):
        _logger.log(level.number, event, extra={"fields": {**bound_fields(), **fields}})


class _OneLine(JsonFormatter):
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


class _Quiet(logging.StreamHandler[TextIO]):
    """A log that nobody reads any more must not stop the service, nor fill stderr with complaints about itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Let it go."""


def configure(stream: TextIO, level: Level = Level.INFO) -> Callable[[], None]:
    """Write lines to this stream from now on.

    Args:
        level: of our own lines; other libraries are heard from `warning` on.

    Returns:
        Puts everything back as it was.
    """
    handler = _Quiet(stream)
    handler.setFormatter(_OneLine())
    root = logging.getLogger()
    before, root_before = _logger.level, root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    _logger.setLevel(level.number)
    logging.captureWarnings(capture=True)

    def undo() -> None:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        root.setLevel(root_before)
        _logger.setLevel(before)

    return undo
