"""What a service takes: so much in a period, so many at once, and nothing before the moment it named. Time is given.

A token bucket lets twice its size through in one period, which a service that counts the last 30 seconds refuses. So
what was sent is remembered for a period from its answer on: the service has counted it by then, however slow the way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from respond.clients.lanes import Lane
from respond.ranks import Rank

FOR_EVER = float("inf")

_BACKGROUND = 0.5
"""Share of a limit that background work may use; the rest is for what was just reported."""


@dataclass(frozen=True)
class Limit:
    """A documented limit.

    Attributes:
        most: requests, or units, in one period.
        period: seconds.
        at_once: requests that may be under way; those of containment do not count.
        kept: share of `most` that is left to containment.
        patience: seconds that a request of the last lane may wait for its turn.
    """

    most: float = FOR_EVER
    period: float = 0.0
    at_once: float = FOR_EVER
    kept: float = 0.0
    patience: float = FOR_EVER


class Allowance:
    """What is left of a limit. Not for several threads."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._past: deque[tuple[float, float]] = deque()
        self._spent = 0.0
        self._under_way = 0
        self._of_background = 0
        self._held = {True: 0.0, False: 0.0}

    def wait(self, amount: float, lane: Lane, now: float, rank: Rank = Rank.FRESH) -> float:
        """Seconds until so much may be sent; `FOR_EVER` when only an answer to something under way makes room."""
        if held := self.held(lane, now):
            return held
        if lane is not Lane.CONTAIN and self._under_way >= self.limit.at_once:
            return FOR_EVER
        is_background = rank is Rank.BACKGROUND and lane is not Lane.CONTAIN
        if is_background and self._of_background >= max(self.limit.at_once * _BACKGROUND, 1):
            return FOR_EVER
        self._forget(now)
        most = self.limit.most if lane is Lane.CONTAIN else self.limit.most * (1 - self.limit.kept)
        if is_background:
            most *= _BACKGROUND
        over = self._spent + min(amount, most) - most
        for ended, units in self._past:
            if over <= 0:
                break
            over -= units
            if over <= 0:
                return max(ended + self.limit.period - now, 0.0)
        return 0.0 if over <= 0 else FOR_EVER

    def crowd(self, lane: Lane) -> int:
        """How many are under way, where that alone keeps the next one back; else 0."""
        return self._under_way if lane is not Lane.CONTAIN and self._under_way >= self.limit.at_once else 0

    def held(self, lane: Lane, now: float) -> float:
        """Seconds that the service has asked for and that are not over."""
        return max(self._held[lane is Lane.CONTAIN] - now, 0.0)

    def hold(self, lane: Lane, until: float) -> None:
        """The service wants no more before that. What it told containment holds for all, not the other way round."""
        for contains in (False, True) if lane is Lane.CONTAIN else (False,):
            self._held[contains] = max(self._held[contains], until)

    def begin(self, amount: float, lane: Lane, rank: Rank = Rank.FRESH) -> None:
        """A request is being sent."""
        self._spent += amount
        self._under_way += lane is not Lane.CONTAIN
        self._of_background += rank is Rank.BACKGROUND

    def end(self, amount: float, lane: Lane, now: float, *, cost: float, rank: Rank = Rank.FRESH) -> None:
        """It was answered, or never will be.

        Args:
            amount: what it was thought to cost.
            cost: what it did.
        """
        self._under_way -= lane is not Lane.CONTAIN
        self._of_background -= rank is Rank.BACKGROUND
        self._spent += cost - amount
        self._past.append((now, cost))

    def _forget(self, now: float) -> None:
        while self._past and self._past[0][0] + self.limit.period <= now:
            self._spent -= self._past.popleft()[1]
