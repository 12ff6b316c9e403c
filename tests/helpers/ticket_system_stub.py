"""A ticket system with nothing but the seam: it counts what arrives, loses answers and forgets for a while."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta

from respond.errors import NotFound, RespondError, Unanswered
from respond.models.tickets import Draft, Found


@dataclass
class TicketDesk:
    """What was created, and how.

    Attributes:
        lags: how long a ticket is missing from `find`.
        faults: raised by the next requests that write, first one first; `Unanswered("after")` when it was done.
        slow: seconds that creating takes.
    """

    name: str = "desk"
    lags: timedelta = timedelta()
    faults: list[RespondError] = field(default_factory=list)
    slow: float = 0.0
    created: list[Draft] = field(default_factory=list)
    updated: list[Draft] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    looks: int = 0
    _times: list[float] = field(default_factory=list)

    async def find(self, key: str) -> Found | None:
        self.looks += 1
        for number, draft in enumerate(self.created):
            seen = time.monotonic() - self._times[number] >= self.lags.total_seconds()
            if draft.key == key and seen and str(number) not in self.deleted:
                return _found(number)
        return None

    async def create(self, draft: Draft) -> Found:
        fault = self.faults.pop(0) if self.faults else None
        await asyncio.sleep(self.slow)
        if fault and str(fault) != "after":
            raise fault
        self.created.append(draft)
        self._times.append(time.monotonic())
        if fault:
            raise fault
        return _found(len(self.created) - 1)

    async def update(self, found: Found, draft: Draft) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if found.handle in self.deleted:
            raise NotFound(f"ticket {found.handle} is gone")
        if fault and str(fault) != "after":
            raise fault
        self.updated.append(draft)
        if fault:
            raise fault

    async def close(self) -> None: ...

    def lose_next(self) -> None:
        """Do what the next request asks, and lose the answer."""
        self.faults.append(Unanswered("after"))


def _found(number: int) -> Found:
    return Found(handle=str(number), id=f"DESK-{number}", url=f"https://desk.example.com/{number}")
