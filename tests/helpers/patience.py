"""How long a test waits for something: longer on a slow machine, as the person who runs it says."""

from __future__ import annotations

import os


def patiently(seconds: float) -> float:
    """An upper limit in seconds, times `RESPOND_TEST_PATIENCE` (1 where it is not set)."""
    return seconds * float(os.environ.get("RESPOND_TEST_PATIENCE", "1"))
