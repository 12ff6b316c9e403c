"""The HTTP server under the webhook: uvicorn, but nobody takes for ever, and every refusal is a problem document.

    https://www.rfc-editor.org/rfc/rfc9112
    https://uvicorn.dev

Uvicorn waits without end for the rest of a request head, and for the rest of a body that nobody reads any more; a few
hundred such connections are all that a process has. Here a sender that has begun something is held to the same time as
a body. What is no HTTP at all is refused as everything else is: a problem document, one log line.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from respond.errors import RespondError, Transient, UsageError
from respond.observe.logs import Level, log
from respond.webhook.problems import Problem

_KEEP_ALIVE = 75
"""Seconds; Azure's load balancers use a connection again for longer than uvicorn's five."""
_LAST_ANSWERS = 10
"""Seconds that requests under way have when the process is told to stop."""

_library = logging.getLogger("uvicorn.protocol")
_library.setLevel(logging.ERROR)  # its warnings are about what we refuse, and have a line of ours


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets on all addresses of a host; they do not listen yet.

    Raises:
        UsageError: another program listens there, or it is no address of this machine.
        Transient: no name server says which address it is.
    """
    name = host.removeprefix("[").removesuffix("]")
    with ExitStack() as stack:
        try:
            found = socket.getaddrinfo(
                name or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
            )
            sockets = [
                stack.enter_context(_bound(family, address)) for family, _, _, _, address in dict.fromkeys(found)
            ]
        except OSError as error:
            raise cannot_listen(host, port, error) from error
        yield sockets


def _bound(family: int, address: Any) -> socket.socket:  # noqa: ANN401 - a different tuple for each family
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def cannot_listen(host: str, port: int, error: OSError) -> RespondError:
    """What to tell when an address is not to be had; a name server that does not answer may do so soon."""
    kind = Transient if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN else UsageError
    return kind(f"--host {host} --port {port}: cannot be listened on: {error.strerror}; choose another")


class Server(uvicorn.Server):
    """Serves until `should_exit`; signals are somebody else's business.

    Args:
        app: ASGI.
        patience: how long a sender may take to say what it wants.
    """

    def __init__(self, app: Any, *, patience: timedelta) -> None:  # noqa: ANN401 - ASGI
        super().__init__(
            uvicorn.Config(
                app,
                http=_protocol(patience.total_seconds()),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_LAST_ANSWERS,
                backlog=1024,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not here: uvicorn would have a signal end the process next, before anything is wound down."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        log("listening", address=[_address(one) for one in sockets or ()])


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _protocol(patience: float) -> type[H11Protocol]:
    class Impatient(_Impatient):
        within = patience

    return Impatient


class _Impatient(H11Protocol):
    within: float

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*arguments, **named)
        self.logger = _library
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._sender_owes:
            self._wait()
        super().data_received(data)
        if not self._sender_owes:
            self._wait_no_longer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._sender_owes and self._has_begun:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """What was received is not HTTP. In the middle of a body, whoever reads it hears that it ends here."""
        del msg
        in_body = not self._sender_owes
        if in_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refuse(Problem(HTTPStatus.BAD_REQUEST, "the request is not HTTP as RFC 9112 has it"), told=in_body)

    @property
    def _sender_owes(self) -> bool:
        """Whether it is not for us to answer."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr] # None at first

    @property
    def _has_begun(self) -> bool:
        """Whether a part of a request is there: of its head, or of a body whose answer has gone out already."""
        return self.conn.their_state is not h11.IDLE or bool(self.conn.trailing_data[0])

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.within, self._hang_up)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if not self._sender_owes:
            return
        if self._has_begun:
            problem = Problem(HTTPStatus.REQUEST_TIMEOUT, f"the request was not there within {self.within:g} s")
            self._refuse(problem, told=False)
        self.transport.close()

    def _refuse(self, problem: Problem, *, told: bool) -> None:
        """Answer if no answer has begun, and close.

        Args:
            told: there is a log line on this already.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            if not told:
                log("request-refused", level=Level.WARNING, status=problem.status.value, reason=problem.line)
            self.transport.write(self._written(problem))
        self.transport.close()

    def _written(self, problem: Problem) -> bytes:
        document = problem.document()
        fields = {**problem.headers, "Content-Length": str(len(document)), "Connection": "close"}
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        reason = problem.title.encode()
        answer = h11.Response(status_code=problem.status.value, headers=headers, reason=reason)
        parts = (answer, h11.Data(data=document), h11.EndOfMessage())
        return b"".join(filter(None, map(self.conn.send, parts)))
