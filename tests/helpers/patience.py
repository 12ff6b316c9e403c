"""How much longer than usual the tests wait for something on this machine.

Set RESPOND_TEST_PATIENCE to a factor, such as 3, on a machine that is busy or slow; it is 1 where it is not set. It
multiplies the upper limits of waiting only: how long a process may take to start, to answer or to end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

VARIABLE = "RESPOND_TEST_PATIENCE"
_FACTOR = float(os.environ.get(VARIABLE, "1"))


def patiently(seconds: float) -> float:
    """An upper limit of waiting, in seconds, for this machine."""
    return seconds * _FACTOR


@pytest.fixture(scope="session", autouse=True)
def _patience_is_for_the_tests() -> Iterator[None]:
    """The product refuses variables of its prefix that it does not know."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        yield
