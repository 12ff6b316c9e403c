"""Serves the lab over HTTP on this machine, and nowhere else."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from respond import collector
from respond.errors import UsageError
from respond.lab import clock
from respond.lab.app import LabApp, Receive, Scope, Send
from respond.lab.state import LabState
from respond.lab.tenant import LabTenant
from respond.settings import Settings


class LabServer(uvicorn.Server):
    """A server that is ready to run: the scenario is read and checked, the socket is bound.

    Args:
        data: scenario directory; see `respond.lab.scenario.find`.
        state_dir: where the lab keeps its memory.
        port: 0 picks a free one.
        on_listening: called in the event loop once requests are answered.

    Raises:
        UsageError: not a loopback address, the port is taken, or the scenario, the state or a setting cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        data: Path,
        state_dir: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        on_listening: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_listening = on_listening
        self._transports: dict[Any, asyncio.Transport] = {}
        self.change_tenant(settings, data=data, state_dir=state_dir)
        self._socket = _bind(host, port)
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=_protocol(self._transports),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)

    def change_tenant(self, settings: Settings, *, data: Path, state_dir: Path) -> None:
        """Answer for another tenant: its own story, state, faults, limits and keys; at the same address.

        Requests under way end with the tenant they began with. Tokens of the old tenant do not count for the new one.

        Raises:
            UsageError: the scenario, the state or a setting cannot be used; the old tenant stays.
        """
        clock.set_ahead(settings.lab.clock_ahead)
        state = LabState(state_dir)
        tenant = LabTenant(state, data, settings.lab.absent_columns)
        self.app = LabApp(settings, state, tenant, self._drop)
        self.tenant = tenant

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run_until_told(self) -> None:
        """Serve until SIGTERM, SIGINT or `should_exit`."""
        self.run(sockets=[self._socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, say so, then get the tables ready: whoever asks before waits for them, not for the parser."""
        await super().startup(sockets)
        self._on_listening()
        self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        await self.tenant.warm_up()
        collector.settle()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def _drop(self, scope: Scope) -> None:
        transport = self._transports.get(scope["client"])
        if transport is not None:
            transport.abort()


def run(
    settings: Settings,
    *,
    data: Path,
    state_dir: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: bool = False,
    until_stdin_closes: bool = False,
) -> None:
    """Serve one scenario until SIGTERM or SIGINT.

    Args:
        announce: print one line of JSON to stdout once it listens: url, loaded (what opening the state did), title.
        until_stdin_closes: stop too when stdin reaches its end, as it does when the parent process dies.

    Raises:
        UsageError: as `LabServer`.
    """

    def listening() -> None:
        if announce:
            loaded = server.tenant.loaded
            line = {"url": server.url, "loaded": str(loaded.how), "title": loaded.story.title}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        if until_stdin_closes:
            threading.Thread(target=_wait_for_end, args=(server,), daemon=True).start()

    server = LabServer(settings, data=data, state_dir=state_dir, host=host, port=port, on_listening=listening)
    server.run_until_told()


def _wait_for_end(server: LabServer) -> None:
    if sys.stdin is not None:
        while sys.stdin.buffer.readline(4096):
            pass
    server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        ip = None
    if ip is None or not ip.is_loopback:
        raise UsageError(f"the lab does not listen on {host}: it takes any secret; use 127.0.0.1")
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on: every answer on a kept connection would take 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"the lab cannot listen on {host} port {port}: {error}; choose another port") from error
    return listener


def _protocol(transports: dict[Any, asyncio.Transport]) -> type[H11Protocol]:
    """HTTP as uvicorn speaks it, with a way to close a client's connection without an answer."""

    class DroppableProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.client, None)
            super().connection_lost(exc)

    return DroppableProtocol
