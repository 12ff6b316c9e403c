"""From the front door to one tenant's process and back: a request as it is, and no more than it can bear.

A process that hangs holds a bounded number of requests for a bounded time; beyond it the tenant's senders, and nobody
else's, are told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from respond.observe.logs import Level, log
from respond.observe.tenants import TenantFigures
from respond.serving.behind import SECRET
from respond.serving.child import Child, State
from respond.webhook.problems import Problem

MOST = 64
"""Requests that are with one tenant's process at the same time."""
ANSWERS_WITHIN = 30.0
"""Seconds; the process gives up on its database much sooner."""
_FIGURES_WITHIN = 2.0
_PROBES_UNTIL_DEAD = 6
_LATER = "30"
_BETWEEN = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect")
_OURS = frozenset(name.encode() for name in (*_BETWEEN, SECRET))
"""Headers between two machines (RFC 9110, 7.6.1), and what only the front may say."""

Headers = Sequence[tuple[bytes, bytes]]


class Passing:
    """The way to one tenant's process.

    Args:
        beat: how often it is looked at; it has twice as long to answer.
    """

    def __init__(self, child: Child, figures: TenantFigures, beat: timedelta) -> None:
        self.child = child
        self._figures = figures
        self._beat = beat.total_seconds()
        self._told: Mapping[str, Any] = {}
        self._with_it = 0
        self._missed = 0
        limits = httpx.Limits(max_connections=MOST + 2, max_keepalive_connections=MOST)
        self._client = httpx.AsyncClient(limits=limits, timeout=ANSWERS_WITHIN, trust_env=False)

    async def deliver(self, path: str, headers: Headers, body: bytes) -> httpx.Response:
        """Its answer to a delivery.

        Args:
            headers: as they came: names in any case, values in any encoding.

        Raises:
            Problem: 503, it has none to give just now.
        """
        child = self.child
        if not child.url or child.state is State.SILENT:
            raise self._later(f"its process is {child.state}")
        if self._with_it >= MOST:
            raise self._later(f"{MOST} requests wait for its process already")
        self._with_it += 1
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                return await self._client.post(child.url + path, content=body, headers=self._headers(headers))
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._later(f"its process did not answer: {type(error).__name__}") from error
        finally:
            self._with_it -= 1

    def told(self, name: str) -> object:
        """A member of its newest `/readyz`, such as `mode` or `failing`; None while it is not ready."""
        return self._told.get(name) if self.child.state is State.READY else None

    async def figures(self) -> str | None:
        """Its `/metrics`; None if it does not answer."""
        try:
            return (await self._ask("/metrics", _FIGURES_WITHIN)).text
        except (httpx.HTTPError, TimeoutError):
            return None

    async def turn(self) -> float | None:
        """Look at it; one that says nothing for long is killed and started again. Returns seconds to the next look."""
        url = self.child.url
        state = await self._state() if url else State.STARTING
        if self.child.is_ending:
            return None
        if not url or self.child.url != url:  # it does not listen yet, or has ended meanwhile
            self._missed = 0
            return self._beat
        self._missed = self._missed + 1 if state is State.SILENT else 0
        self.child.seen(state)
        if self._missed >= _PROBES_UNTIL_DEAD:
            log("tenant-killed", level=Level.ERROR, tenant=self.child.name, reason="its process does not answer")
            self.child.kill()
        return self._beat

    async def _state(self) -> State:
        try:
            answer = await self._ask("/readyz", 2 * self._beat)
        except (httpx.HTTPError, TimeoutError):
            return State.SILENT
        is_ready = answer.status_code == HTTPStatus.OK
        self._told = answer.json() if is_ready else {}
        return State.READY if is_ready else State.NOT_READY

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, path: str, within: float) -> httpx.Response:
        if not self.child.url:
            raise TimeoutError
        async with asyncio.timeout(within):
            return await self._client.get(self.child.url + path, headers={SECRET: self.child.secret})

    def _headers(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
        return [*kept, (SECRET.encode(), self.child.secret.encode())]

    def _later(self, why: str) -> Problem:
        self._figures.passed_on(self.child.name, answered=False)
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the delivery cannot be taken just now; send it again",
            log=f"tenant {self.child.name}: {why}",
            headers={"Retry-After": _LATER},
        )
