"""How much longer than usual the tests wait before they give up."""

from __future__ import annotations

import os


def patiently(seconds: float) -> float:
    """An upper limit in seconds, for a machine that may be busy.

    `RESPOND_TEST_PATIENCE` multiplies it: 1 unless set. Only limits are stretched, never what a test measures.
    """
    return seconds * float(os.environ.get("RESPOND_TEST_PATIENCE", "1"))
