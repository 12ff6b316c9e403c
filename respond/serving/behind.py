"""One tenant's process behind the front door: it answers nobody else, and ends when the front does, however that ends.

The front writes one line to our standard input, a secret of this start, and keeps the pipe open as long as it lives. On
a loopback port anybody of this machine can knock, and would get round what the front holds senders to.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from respond.errors import UsageError
from respond.serving.stopping import Stop
from respond.webhook.problems import NotAllowed

SECRET = "x-respond-front"  # noqa: S105 - the name of a header
_LONGEST = 200

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Front:
    """The process at the other end of a pipe.

    Args:
        pipe: file descriptor; nothing else may read it.

    Raises:
        UsageError: nobody is there.
    """

    def __init__(self, pipe: int = 0) -> None:
        self._pipe = pipe
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(pipe, 1) if len(line) < _LONGEST else b""
            if not piece:
                raise UsageError("--behind: is for `respond serve` itself; use --tenant NAME alone")
            line += piece
        self._secret = line.strip()

    def alone(self, app: App) -> App:
        """The application, for the front alone."""

        async def guarded(scope: Message, receive: Receive, send: Send) -> None:
            given = next((value for name, value in scope.get("headers", ()) if name == SECRET.encode()), b"")
            if hmac.compare_digest(given, self._secret):
                await app(scope, receive, send)
            else:
                await _refuse(send)

        return guarded

    def end_with_it(self, stop: Stop) -> None:
        """Wind down when the front is gone."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            while os.read(self._pipe, 4096):
                pass
            if not loop.is_closed():
                loop.call_soon_threadsafe(stop.tell)

        threading.Thread(target=wait, daemon=True, name="front").start()


async def _refuse(send: Send) -> None:
    problem = NotAllowed("this process takes requests from its front door only")
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN.value, "headers": headers})
    await send({"type": "http.response.body", "body": problem.document()})
