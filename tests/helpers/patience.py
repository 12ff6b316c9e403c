"""How much longer than usual the tests wait for something on this machine.

Set RESPOND_TEST_PATIENCE to a factor, such as 3, on a machine that is busy or slow; it is 1 where it is not set. It
multiplies the upper limits of waiting only: how long a process may take to start, to answer or to end.
"""

from __future__ import annotations

import os

VARIABLE = "RESPOND_TEST_PATIENCE"
_KEPT = "TEST_PATIENCE_FOR_WORKERS"

# The product refuses variables of its prefix that it does not know, some of it while test modules are imported. Workers
# are started with what is left in the environment.
_FACTOR = float(os.environ.pop(VARIABLE, "") or os.environ.get(_KEPT, "") or "1")
os.environ[_KEPT] = str(_FACTOR)


def patiently(seconds: float) -> float:
    """An upper limit of waiting, in seconds, for this machine."""
    return seconds * _FACTOR
