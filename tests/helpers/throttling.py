"""A service on loopback that keeps Microsoft's sort of limit: so many in a sliding window, so many at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

_TABLE = {"tables": [{"name": "PrimaryResult", "columns": [{"name": "n", "type": "long"}], "rows": [[1]]}]}
_USER = {
    "id": "u1",
    "userPrincipalName": "target.user@contoso.com",
    "accountEnabled": True,
    "signInSessionsValidFromDateTime": "2026-01-02T00:00:00Z",
    "riskLevel": "none",
    "riskState": "none",
    "riskLastUpdatedDateTime": "2026-01-02T00:00:00Z",
    "value": [],
}


class Throttling:
    """What it was asked, and how often it had to refuse.

    Args:
        most: requests in `period` seconds; the next one gets a 429.
        at_once: requests under way; the next one gets a 429.
        latency: seconds that an answer takes.
        headers: of every answer.
    """

    def __init__(
        self,
        *,
        most: float = float("inf"),
        period: float = 1.0,
        at_once: float = float("inf"),
        latency: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._most, self._period, self._at_once, self._latency = most, period, at_once, latency
        self._headers = headers or {}
        self._recent: deque[float] = deque()
        self._under_way = 0
        self.asked: list[tuple[float, str, str]] = []
        self.refused = 0
        self.statuses: list[int] = []
        self.url = ""

    async def _answer(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        self.asked.append((now, request.method, request.path))
        await request.read()
        while self._recent and self._recent[0] + self._period <= now:
            self._recent.popleft()
        if len(self._recent) >= self._most or self._under_way >= self._at_once:
            self.refused += 1
            return web.json_response({"error": {"code": "TooManyRequests"}}, status=429)
        self._recent.append(now)
        self._under_way += 1
        try:
            await asyncio.sleep(0 if request.method == "POST" and "revoke" in request.path else self._latency)
        finally:
            self._under_way -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        body: dict[str, Any] = _TABLE if request.path.endswith("/query") else _USER
        return web.json_response(body, status=status, headers=self._headers)


@asynccontextmanager
async def throttling(**limits: Any) -> AsyncIterator[Throttling]:
    """One that listens until the end of the block."""
    service = Throttling(**limits)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service._answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()
