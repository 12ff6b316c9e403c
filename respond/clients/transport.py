"""What azure-core sends through, for every client that is built on it: the last thing before the socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

from respond.clients.guard import Check
from respond.clients.pace import Pace
from respond.errors import Service


class Transport(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it lazily, so mypy sees Any
    """Sends what passes the check, when the service takes it, and sends it once.

    Args:
        check: refuses what must not leave.
    """

    session: aiohttp.ClientSession | None

    def __init__(self, service: Service, *, check: Check, pace: Pace, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._service = service
        self._check = check
        self._pace = pace

    async def open(self) -> None:
        """As azure-core opens it, but for the repetition of requests."""
        if not self.session and not self._has_been_opened:
            self.session = aiohttp.ClientSession(
                trust_env=self._use_env_settings,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                middlewares=(_once,),
            )
        await super().open()

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self._check(request.method, request.url)
        async with self._pace.turn(self._service, request.method, request.url) as turn:
            sent = datetime.now(UTC)
            answer = await super().send(request, **kwargs)
            turn.answered(answer.status_code, answer.headers)
            self._pace.service_clock.hear(answer.headers, sent)
            return answer


class AnswerLost(aiohttp.ClientConnectionError):
    """The connection ended between the request and its answer."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Aiohttp repeats a PUT by itself when the connection broke, although the first may have taken effect."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent; it is not repeated either
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise AnswerLost(type(error).__name__) from error


def was_sent(error: Exception) -> bool:
    """Whether a request may have reached the service before it failed so.

    azure-core calls a connection that broke after sending a request error as well, so its cause decides. Without one,
    it was a policy that refused to send.
    """
    never = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    return error.__cause__ is not None and not isinstance(error.__cause__, never)
