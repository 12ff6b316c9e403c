"""Whose request goes first, and until when it may wait for its turn: said once by whoever asks, read by the transports.

Both are context variables, so no client has to hand them on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from enum import IntEnum

_BEFORE_THE_LIMIT = 0.98
"""A request that was never sent says so itself, a moment before the limit of its action cuts it off."""


class Lane(IntEnum):
    """Whose request it is; a lower one goes first.

    Attributes:
        CONTAIN: of a write, its look and its proof. Has a share of its own, and is never refused.
        FIRST: what containing waits for: who the user is, the hunt, whom the brakes protect. Never refused.
        REST: everything else.
    """

    CONTAIN = 0
    FIRST = 1
    REST = 2


_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.REST)
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


def lane() -> Lane:
    """The lane of what is asked here."""
    return _lane.get()


def deadline() -> float:
    """Until when a request may wait to be sent; on the clock of `time.monotonic`."""
    return _deadline.get()


@contextmanager
def ahead(chosen: Lane) -> Iterator[None]:
    """What is asked inside goes in this lane, unless it is in a better one already."""
    token = _lane.set(min(chosen, _lane.get()))
    try:
        yield
    finally:
        _lane.reset(token)


@contextmanager
def by(moment: float) -> Iterator[None]:
    """What is asked inside does not wait for its turn beyond this moment."""
    token = _deadline.set(min(moment, _deadline.get()))
    try:
        yield
    finally:
        _deadline.reset(token)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """A limit on everything inside, waits for a turn included.

    Raises:
        TimeoutError: it is over.
    """
    with by(time.monotonic() + seconds * _BEFORE_THE_LIMIT):
        async with asyncio.timeout(seconds):
            yield
