"""A service that does not answer is left alone for a while: what asks it anyway would only wait.

`purgatory` was looked at: it reads the wall clock, belongs to one thread, and cannot count a request that it must not
refuse, as containment is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BLIP = 5.0
"""Seconds. What fails for a shorter time is a restart behind a load balancer; retries outlast it."""


@dataclass
class _State:
    failures: int = 0
    since: float = 0.0
    rests_until: float = 0.0
    probing: bool = False


class Breakers:
    """Failures in a row of each endpoint, for every thread of the process.

    Args:
        after: so many failures in a row, over more than `BLIP`, open a breaker.
        rest: seconds until one request may try again.
    """

    def __init__(self, after: int, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._after, self._rest, self._clock = after, rest, clock
        self._states: dict[tuple[str, str], _State] = {}
        self._lock = threading.Lock()

    def rests(self, key: tuple[str, str]) -> tuple[int, float] | None:
        """How often it has failed, and for how many seconds it is not asked; None when it may be asked.

        When the rest is over one request may ask, and the others wait for what becomes of it.
        """
        with self._lock:
            state = self._states.get(key)
            if state is None or not state.rests_until:
                return None
            left = state.rests_until - self._clock()
            if left > 0 or state.probing:
                return state.failures, max(left, 1.0)
            state.probing = True
            return None

    def answered(self, key: tuple[str, str]) -> None:
        """It has answered, be it with a refusal."""
        with self._lock:
            self._states.pop(key, None)

    def failed(self, key: tuple[str, str]) -> None:
        """No answer came, or one that it is ill."""
        with self._lock:
            now = self._clock()
            state = self._states.setdefault(key, _State(since=now))
            state.failures += 1
            state.probing = False
            if state.failures >= self._after and now - state.since >= BLIP:
                state.rests_until = now + self._rest

    def abandoned(self, key: tuple[str, str]) -> None:
        """The request was given up by who asked; that says nothing about the service."""
        with self._lock:
            if state := self._states.get(key):
                state.probing = False

    def open(self) -> list[tuple[str, str]]:
        """The endpoints that are not asked at the moment."""
        with self._lock:
            return [key for key, state in self._states.items() if state.rests_until]
