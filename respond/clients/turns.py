"""Waiting for one's turn at a service: by rank, by lane, then first come, first served; from every loop of the process.

`aiolimiter` would do for one loop without lanes: its limiters belong to a loop, and recovered runs live on a second.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from respond.clients.allowance import FOR_EVER, Allowance, Limit
from respond.clients.lanes import Lane
from respond.ranks import Rank


class TooLong(Exception):
    """A turn will not come in time.

    Args:
        held: seconds that the service has asked for; 0 when others are ahead.
        ahead: how many.
        under_way: requests that are being answered, where the limit is how many may be at the same time; else 0.
    """

    def __init__(self, held: float, ahead: int, under_way: int = 0) -> None:
        super().__init__(held, ahead, under_way)
        self.held = held
        self.ahead = ahead
        self.under_way = under_way


@dataclass(order=True)
class _Ticket:
    rank: Rank
    lane: Lane
    number: int
    amount: float = field(compare=False)
    queued: bool = field(compare=False, default=False)
    loop: asyncio.AbstractEventLoop = field(compare=False, default_factory=asyncio.get_running_loop)
    woken: asyncio.Event = field(compare=False, default_factory=asyncio.Event)

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop has ended, and it with it
            self.loop.call_soon_threadsafe(self.woken.set)

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == FOR_EVER else seconds):
                await self.woken.wait()
        self.woken.clear()


class Turns:
    """The queue at one limit. Any thread may wait in it."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._allowance = Allowance(limit)
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._numbers = itertools.count()

    async def enter(self, amount: float, lane: Lane, deadline: float, *, rank: Rank = Rank.FRESH) -> float:
        """Wait for a turn; the seconds that it took.

        Args:
            deadline: when waiting is at an end, on the clock.
            rank: background requests go behind all fresh ones, and have a share of the limit alone.

        Raises:
            TooLong: it will not come by then.
        """
        began = self._clock()
        if lane is Lane.REST:
            deadline = min(deadline, began + self._limit.patience)
        ticket = _Ticket(rank, lane, next(self._numbers), amount)
        try:
            while (pause := self._look(ticket, deadline)) > 0:
                await ticket.pause(min(pause, max(deadline - self._clock(), 0.0)))
        except BaseException:
            self._drop(ticket)
            raise
        return self._clock() - began

    def leave(self, amount: float, lane: Lane, *, cost: float, rank: Rank = Rank.FRESH) -> None:
        """The request is over; see `Allowance.end`."""
        with self._lock:
            self._allowance.end(amount, lane, self._clock(), cost=cost, rank=rank)
            self._wake_first()

    def hold(self, lane: Lane, seconds: float) -> None:
        """The service asks to wait."""
        with self._lock:
            self._allowance.hold(lane, self._clock() + seconds)

    def _look(self, ticket: _Ticket, deadline: float) -> float:
        """Seconds until another look is worth it; 0 when it may go, and has gone."""
        with self._lock:
            now = self._clock()
            held = self._allowance.held(ticket.lane, now)
            hopeless = False
            if not ticket.queued:
                hopeless = self._is_hopeless(ticket, now, deadline)
                heapq.heappush(self._waiting, ticket)
                ticket.queued = True
            first = self._waiting[0] is ticket
            pause = self._allowance.wait(ticket.amount, ticket.lane, now, ticket.rank) if first else FOR_EVER
            if pause > 0 and (hopeless or now >= deadline or now + held > deadline):
                ahead = sum(other < ticket for other in self._waiting)
                raise TooLong(held, ahead, self._allowance.crowd(ticket.lane))
            if pause == 0:
                heapq.heappop(self._waiting)
                self._allowance.begin(ticket.amount, ticket.lane, ticket.rank)
                self._wake_first()
            return pause

    def _is_hopeless(self, ticket: _Ticket, now: float, deadline: float) -> bool:
        """So many are ahead that its turn comes after the deadline, however quick the service."""
        ahead = sum(other.amount for other in self._waiting if other < ticket)
        return ahead // self._limit.most * self._limit.period > deadline - now

    def _drop(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
            self._wake_first()

    def _wake_first(self) -> None:
        if self._waiting:
            self._waiting[0].wake()
