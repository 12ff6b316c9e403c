"""What time it is by the services: from the `Date` header of their answers, because this machine's clock may be wrong.

Time windows of queries and checks of tokens go by it. Only answers of the tenant's own services count; nothing that a
sender of deliveries says has an influence.

    https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

import httpx

from respond.observe.logs import Level, log

WRONG = timedelta(seconds=60)
"""Largest clock difference that is not reported as a gap; Entra ID and our webhook accept the same."""
_NOISE = timedelta(seconds=5)
"""The header has whole seconds, and an answer takes a while: what is less than this is no difference."""
_SLOWEST = timedelta(seconds=10)
_KEPT = 9
_ASKED_FOR = 5.0


def _our_time() -> datetime:
    return datetime.now(UTC)


def _since_boot() -> float:
    """Seconds by a clock that nobody sets; it goes on while the machine sleeps, where there is such a one."""
    kind = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return time.monotonic() if kind is None else time.clock_gettime(kind)


class ServiceClock:
    """How far the services' clock is ahead of ours; for every thread of the process.

    What they told is kept against a clock that nobody sets: setting ours changes the difference, and not their time.

    Args:
        wall: this machine's clock, UTC.
    """

    def __init__(self, wall: Callable[[], datetime] = _our_time) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._wrong = False

    def hear(self, headers: Mapping[str, str], sent: datetime) -> None:
        """Learn from an answer that has just arrived.

        Args:
            headers: looked up by name, in whatever case the service wrote it.
            sent: when the request left, by our clock.
        """
        received = self._wall()
        took = received - sent
        if "Age" in headers or not timedelta(0) <= took <= _SLOWEST:
            return  # kept by a cache, or too long under way to say anything
        try:
            theirs = parsedate_to_datetime(headers.get("Date") or "").astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            return
        # Its seconds are cut off, and it was written somewhere between our two times.
        self._add((theirs + timedelta(seconds=0.5) + took / 2).timestamp())

    def _add(self, theirs: float) -> None:
        with self._lock:
            self._seen.append(theirs - _since_boot())
            wrong = abs(self._ahead()) > WRONG.total_seconds()
            changed, self._wrong = wrong != self._wrong, wrong
        if changed:
            level = Level.WARNING if wrong else Level.INFO
            reason = said(self.skew) if wrong else "this machine's clock agrees with the services"
            log("clock-skewed" if wrong else "clock-right", level=level, reason=reason)

    @property
    def is_known(self) -> bool:
        """Whether a service has told the time."""
        with self._lock:
            return bool(self._seen)

    @property
    def skew(self) -> timedelta:
        """How far the services are ahead of this machine; zero while it is not known, or too little to tell."""
        with self._lock:
            found = timedelta(seconds=self._ahead())
        return found if abs(found) >= _NOISE else timedelta(0)

    def ahead(self) -> float:
        """The same in seconds."""
        return self.skew.total_seconds()

    def now(self) -> datetime:
        """The time by the services, UTC; by this machine while theirs is not known."""
        return self._wall() + self.skew

    def _ahead(self) -> float:
        return median(self._seen) + _since_boot() - self._wall().timestamp() if self._seen else 0.0


def said(skew: timedelta) -> str:
    """A difference in words."""
    seconds = abs(skew.total_seconds())
    length = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    how = "slow" if skew > timedelta(0) else "fast"
    return f"this machine's clock is {length} {how} by the clock of Microsoft's services; synchronize it"


async def ask_time(clock: ServiceClock, url: str) -> None:
    """Learn the time from a page that needs no token; where it does not answer, nothing is learned."""
    try:
        async with httpx.AsyncClient(timeout=_ASKED_FOR) as client:
            sent = datetime.now(UTC)
            answer = await client.get(url)
    except httpx.HTTPError:
        return
    clock.hear(answer.headers, sent)
