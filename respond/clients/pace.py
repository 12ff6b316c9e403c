"""Microsoft's limits, kept by whoever sends: one `Pace` for a tenant in a process, whatever run or event loop asks.

Every client sends through a transport of ours, which takes a `Turn` first. It waits until the service takes one more,
remembers what the service asked for, and does not ask one that has stopped answering.

https://learn.microsoft.com/graph/throttling-limits
https://learn.microsoft.com/azure/azure-monitor/service-limits#log-queries-and-language
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from respond import progress
from respond.clients.allowance import Limit
from respond.clients.breaker import Breakers
from respond.clients.clock import ServiceClock
from respond.clients.lanes import Lane, deadline, lane
from respond.clients.retry import LONGEST_ASKED, parse_retry_after
from respond.clients.routes import Route, Scope
from respond.clients.turns import TooLong, Turns
from respond.errors import NotAsked, RespondError, Service
from respond.ranks import Rank, rank
from respond.settings import Pace as PaceSettings

CALLED = {Service.GRAPH: "Microsoft Graph", Service.LOGS: "Log Analytics", Service.SENTINEL: "Azure"}

_MOST, _FEW = 60, 8
"""Requests of evidence under way, by scope. A pool holds 100 connections: one is always left for containment."""
_NEAR = 0.8
"""Graph says which share of a limit is used from here on: https://learn.microsoft.com/graph/throttling"""
_TOO_MANY, _UNAVAILABLE, _ILL = 429, 503, 500


def limits_of(pace: PaceSettings) -> dict[Scope, Limit]:
    """What the settings say, for each scope."""
    kept = pace.contain_share
    return {
        Scope.DIRECTORY: Limit(pace.graph_units_per_10s, 10, _MOST, kept),
        Scope.HUNTING: Limit(pace.hunting_per_min, 60, _FEW),
        Scope.RISK: Limit(pace.identity_protection_per_s, 1, _FEW, patience=pace.risk_patience.total_seconds()),
        Scope.REPORTS: Limit(pace.reports_per_10s, 10, _FEW),
        Scope.MAIL: Limit(at_once=_FEW),
        Scope.QUERIES: Limit(pace.logs_per_30s, 30, pace.logs_at_once),
        Scope.RESOURCES: Limit(pace.arm_per_10s, 10, _MOST, kept),
    }


class Pace:
    """The limits of one tenant.

    Args:
        settings: as documented where none are given.
        limits: instead of what the settings say.
        clock: seconds, of a time that never goes back.
    """

    def __init__(
        self,
        settings: PaceSettings | None = None,
        *,
        limits: Mapping[Scope, Limit] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        settings = settings or PaceSettings()
        self._limits = {**limits_of(settings), **(limits or {})}
        self._turns = {scope: Turns(limit, clock) for scope, limit in self._limits.items()}
        self._breakers = Breakers(settings.breaker_after, settings.breaker_rest.total_seconds(), clock)
        self.service_clock = ServiceClock()

    def turn(self, service: Service, method: str, url: str) -> Turn:
        """The turn of one request; entering it waits.

        Raises:
            NotAsked: on entering: the turn will not come in time, or the service has stopped answering.
        """
        route = Route.of(service, method, url)
        return Turn(route, self._turns[route.scope], self._limits[route.scope], self._breakers)

    def unasked(self) -> Mapping[Service, int]:
        """How many endpoints of each service are not asked at the moment."""
        found = [Service(service) for service, _ in self._breakers.open()]
        return {service: found.count(service) for service in CALLED}


class Turn:
    """One request, from its wait to its answer."""

    def __init__(self, route: Route, turns: Turns, limit: Limit, breakers: Breakers) -> None:
        self._route, self._turns, self._limit, self._breakers = route, turns, limit, breakers
        self._lane = lane()
        self._rank = Rank.FRESH if self._lane is Lane.CONTAIN else rank()
        self._key = (route.service.value, route.kind)
        self._cost = route.cost
        self._told = False

    async def __aenter__(self) -> Self:
        if self._lane is Lane.REST and (rests := self._breakers.rests(self._key)):
            raise self._left_alone(*rests)
        try:
            waited = await self._turns.enter(self._route.cost, self._lane, deadline(), rank=self._rank)
        except TooLong as late:
            self._breakers.abandoned(self._key)
            raise self._too_long(late) from None
        except BaseException:
            self._breakers.abandoned(self._key)
            raise
        if waited > 0.001:
            progress.emit(progress.Kind.QUEUED, seconds=waited, service=self._route.service)
        return self

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The service has answered.

        Args:
            headers: looked up by name, in whatever case the service wrote it.
        """
        self._told = True
        if status >= _ILL:
            self._breakers.failed(self._key)
        else:
            self._breakers.answered(self._key)
        asked = parse_retry_after(headers.get("Retry-After")) if status in (_TOO_MANY, _UNAVAILABLE) else None
        if asked:
            self._turns.hold(self._lane, min(asked, LONGEST_ASKED))
        with suppress(ValueError):
            self._cost = max(float(headers.get("x-ms-resource-unit") or self._cost), 0.0)
        with suppress(ValueError):
            used = float(headers.get("x-ms-throttle-limit-percentage") or 0)
            if math.isfinite(used) and used >= _NEAR:
                # Others use the limit too: evidence makes room, the more the less is left.
                self._turns.hold(Lane.REST, min(used - _NEAR, 1.0) * self._limit.period)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.leave(self._route.cost, self._lane, cost=self._cost, rank=self._rank)
        if self._told:
            return
        if isinstance(error, Exception) and not isinstance(error, RespondError | asyncio.CancelledError):
            self._breakers.failed(self._key)
        else:
            self._breakers.abandoned(self._key)

    def _left_alone(self, failures: int, seconds: float) -> NotAsked:
        again = datetime.now(UTC) + timedelta(seconds=seconds)
        return NotAsked(
            f"{CALLED[self._route.service]} has not answered {self._route.kind} {failures} times; "
            f"not asked again before {again:%H:%M:%SZ}",
            service=self._route.service,
        )

    def _too_long(self, late: TooLong) -> NotAsked:
        name = CALLED[self._route.service]
        if late.held:
            said = f"{name} ({self._route.scope}) is not to be asked yet"
            return NotAsked(said, retry_after=late.held, service=self._route.service, throttled=True)
        if late.under_way:
            most = f"{self._limit.at_once:.0f} at the same time, and {late.under_way} are not answered yet"
        else:
            most = f"{self._limit.most:.0f} in {self._limit.period:.0f} s"
        first = f"{late.ahead} other requests came first, and it" if late.ahead else "it"
        return NotAsked(f"{name} ({self._route.scope}): {first} takes {most}; not sent", service=self._route.service)
