"""Ctrl-C: leave at once. The state survives a power cut, so there is nothing to tidy up first.

Winding down instead would cancel the actions of runs that were taken over, and record them as failed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Within the block, an interrupt ends the process with one line and exit code 1; the lab's child ends with it."""
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(_signal: int, _frame: object) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{_SHOW_CURSOR}\r\x1b[J")
    sys.stderr.write("respond: interrupted; the next `respond` finishes the run\n")
    sys.stderr.flush()
    os._exit(1)
