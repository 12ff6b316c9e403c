"""Which work goes first: an attack that was just reported, or what is done beside it.

Fresh work (deliveries, commands, what the schedule has found) is always next. Background work (rechecks, writes that
are tried again, runs of dead processes, the schedule's own hunt) takes what is left, and never all of it: neither of
the places for runs nor of a service's limits (`respond.clients.allowance`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum


class Rank(IntEnum):
    """Whose turn is first; a lower one goes first."""

    FRESH = 0
    BACKGROUND = 1

    @property
    def label(self) -> str:
        """In the figures."""
        return self.name.lower()


_rank: ContextVar[Rank] = ContextVar("rank", default=Rank.FRESH)


def rank() -> Rank:
    """Of what is done here."""
    return _rank.get()


@contextmanager
def ranked(chosen: Rank) -> Iterator[None]:
    """What is done inside has this rank, unless it has a lower one already: what background work starts is the same."""
    token = _rank.set(max(chosen, _rank.get()))
    try:
        yield
    finally:
        _rank.reset(token)


@dataclass(eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    has_place: bool = False

    def wake(self) -> bool:
        """False when its loop has ended, and it with it."""
        try:
            self.loop.call_soon_threadsafe(self.woken.set)
        except RuntimeError:
            return False
        return True


class Places:
    """Places for runs of one process; recovered runs have an event loop of their own, so any thread may ask.

    Args:
        most: runs that work at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._for_background = max(most // 2, 1)
        self._lock = threading.Lock()
        self._working = dict.fromkeys(Rank, 0)
        self._waiting: dict[Rank, deque[_Waiter]] = {each: deque() for each in Rank}
        self._fresh_work = 0
        self._paused: list[_Waiter] = []

    @asynccontextmanager
    async def place(self, wanted: Rank) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the end of the block."""
        waiter = _Waiter()
        with self._lock:
            self._waiting[wanted].append(waiter)
            self._fill()
        try:
            await waiter.woken.wait()
            yield
        finally:
            with self._lock:
                if waiter.has_place:
                    self._working[wanted] -= 1
                else:
                    self._waiting[wanted].remove(waiter)
                self._fill()

    @contextmanager
    def fresh_work(self) -> Iterator[None]:
        """The block is work that background work makes way for."""
        with self._lock:
            self._fresh_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._fresh_work -= 1
                paused, self._paused = (self._paused, []) if not self._fresh_work else ([], self._paused)
            for waiter in paused:
                waiter.wake()

    async def make_way(self, longest: float) -> None:
        """Wait until no fresh work is done here, but not for ever: background work comes to its end as well.

        Args:
            longest: seconds.
        """
        with self._lock:
            if not self._fresh_work:
                return
            waiter = _Waiter()
            self._paused.append(waiter)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await waiter.woken.wait()

    def to_start(self) -> int:
        """How many runs of the background are worth starting now: those that have a place soon, and not hundreds."""
        with self._lock:
            begun = self._working[Rank.BACKGROUND] + len(self._waiting[Rank.BACKGROUND])
            return max(2 * self._for_background - begun, 0)

    def working(self) -> Mapping[Rank, int]:
        """How many runs have a place."""
        with self._lock:
            return dict(self._working)

    def waiting(self) -> Mapping[Rank, int]:
        """How many runs wait for one."""
        with self._lock:
            return {each: len(waiters) for each, waiters in self._waiting.items()}

    def _fill(self) -> None:
        for each in Rank:
            while self._waiting[each] and self._has_room(each):
                waiter = self._waiting[each].popleft()
                if waiter.wake():
                    waiter.has_place = True
                    self._working[each] += 1

    def _has_room(self, wanted: Rank) -> bool:
        fresh, background = self._working[Rank.FRESH], self._working[Rank.BACKGROUND]
        if wanted is Rank.FRESH:
            # With a single place, a fresh run works beside one of the background rather than behind it.
            return fresh + min(background, self._most - 1) < self._most
        is_first = not self._waiting[Rank.FRESH]
        return is_first and background < self._for_background and fresh + background < self._most
