"""At the start: wait for the state database as long as it takes.

A service that ended instead would depend on somebody who starts it again, and a restart that meets a wrong setting must
not be repeated: the two are kept apart. While it waits, `/healthz` answers, and everything else says 503 and why.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from http import HTTPStatus

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from respond.errors import StateAway
from respond.observe.logs import Level, log
from respond.serving.http import Server
from respond.serving.stopping import Stop
from respond.store.cases import Store
from respond.webhook.app import answer, bare_app, healthy
from respond.webhook.problems import Problem

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_TOLD_AGAIN_AFTER = 60.0
_PATIENCE = timedelta(seconds=10)
_RETRY_AFTER = {"Retry-After": "30"}


class Lobby:
    """Waits for the state database.

    Args:
        url: of the database.
        stop: ends the wait.
        sockets: to answer on meanwhile; none for a process that does not listen.
        waits: called before the wait is told of.
    """

    def __init__(
        self,
        url: str,
        stop: Stop,
        sockets: Sequence[socket.socket] = (),
        *,
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._stop = stop
        self._sockets = sockets
        self._waits = waits
        self._reason = ""
        self._pause = _FIRST_PAUSE
        self._told: tuple[str, float] | None = None

    async def passed(self, failed: str = "") -> bool:
        """Wait until the database answers; False when the process is told to stop before.

        Args:
            failed: what did not work although it had answered: then it is not tried again at once.

        Raises:
            UsageError: a setting is wrong.
            StateUnusable: it answers, and is damaged or of another version.
        """
        if failed:
            self._reason = failed
        elif await self._look():
            return True
        if self._stop.told.is_set():
            return False
        async with self._answering():
            return await self._wait(failed)

    async def _wait(self, failed: str) -> bool:
        began = time.monotonic()
        self._waits()
        self._tell(began, also_new=True)
        while not self._stop.told.is_set():
            try:
                async with asyncio.timeout(self._pause):
                    await self._stop.told.wait()
            except TimeoutError:
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                break
            if await self._look():
                if not failed:
                    log("state-answers", waited=round(time.monotonic() - began, 1))
                return True
            self._tell(began, also_new=False)
        return False

    def _tell(self, began: float, *, also_new: bool) -> None:
        """Say why it waits: once, and then each minute."""
        now = time.monotonic()
        reason, told = self._told or ("", 0.0)
        if self._told and now - told < _TOLD_AGAIN_AFTER and not (also_new and reason != self._reason):
            return
        self._told = self._reason, now
        log("waiting-for-state", level=Level.WARNING, reason=self._reason, waited=round(now - began) or None)

    async def _look(self) -> bool:
        """Whether it answers now. A connection that hangs is left to its own limit when we are told to stop."""
        look = asyncio.ensure_future(asyncio.to_thread(_open, self._url))
        told = asyncio.ensure_future(self._stop.told.wait())
        await asyncio.wait((look, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not look.done():
            look.add_done_callback(lambda late: late.cancelled() or late.exception())
            return False
        try:
            look.result()
        except StateAway as error:
            self._reason = error.message
            return False
        return True

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Answer on the sockets until the end of the block; they go on listening after that."""
        if not self._sockets:
            yield
            return
        app = bare_app()
        app.add_api_route("/healthz", healthy, methods=["GET"])
        app.add_api_route("/{path:path}", self._not_yet, methods=["GET", "POST"])
        server = Server(app, patience=_PATIENCE)
        serving = asyncio.create_task(server.serve([one.dup() for one in self._sockets]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving

    async def _not_yet(self, _request: Request) -> Response:
        return answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"starting: {self._reason}", headers=_RETRY_AFTER))


def _open(url: str) -> None:
    with closing(Store(url)):
        pass
