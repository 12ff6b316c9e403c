"""Structured logs: one JSON object a line, one line an event.

https://nhairs.github.io/python-json-logger

`ts` (UTC, milliseconds, Z), `level`, `event`, then the fields. What ended is told, not what began. Other libraries'
warnings come out in the same form, so that everything a service writes to stderr can be read by one parser.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO

from respond.observe.bound import bound as bound  # noqa: PLC0414 - callers find it beside `log`
from respond.observe.bound import fields as bound_fields

_logger = logging.getLogger("respond")


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
    from respond.observe.one_line import OneLine

    handler = _Quiet(stream)
    handler.setFormatter(OneLine())
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
