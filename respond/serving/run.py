"""`respond serve` and `respond worker`: one process at work, from its first breath to its last."""

from __future__ import annotations

import functools
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from respond import __version__, collector
from respond.clients.credentials import weak_identities
from respond.errors import RespondError, StateAway
from respond.following import Following
from respond.observe import logs, traces
from respond.observe.listening import observing
from respond.observe.logs import Level, log
from respond.observe.metrics import Metrics, Round
from respond.serving.behind import Front
from respond.serving.http import Server, bound, cannot_listen
from respond.serving.schedule import RoundResult, Schedule
from respond.serving.service import Service
from respond.serving.stopping import Stop, beside, passing_on
from respond.serving.supervised import Loop
from respond.serving.waiting import Lobby
from respond.session import Session, open_session
from respond.settings import LAB_WORKSPACE_ID, Settings, load_settings, state_url, tenant_of
from respond.step import places
from respond.webhook.app import Limits, make_app
from respond.webhook.gate import Gate, check_startup

_CLOSED_WITHIN = 10.0
"""Seconds that closing everything may take once nothing is going any more."""


def _silent(_what: str) -> None:
    """Nobody is told."""


async def serve(
    config: Path, *, host: str, port: int, front: Front | None = None, ready: Callable[[str], None] = _silent
) -> int:
    """Take deliveries, hunt on schedule and answer, until told to stop.

    Args:
        front: the process that passes deliveries on to this one, where there are several tenants.
        ready: told, when nothing stands in the way any more, where it listens.

    Returns:
        The exit code.

    Raises:
        UsageError: a setting is wrong, or the address cannot be listened on.
        StateUnusable: the state database is damaged, or of another version.
    """
    settings = load_settings(config)
    check_startup(settings, host)
    # Before any run is taken over: a process that cannot listen has no business with them.
    with bound(host, port) as sockets, _logged():
        stop = _stop(front)
        async with _at_work(config, settings, stop, sockets) as there:
            if there is None:
                return 0
            session, service, metrics = there
            gate = Gate.of(settings, host=host, lab_url=session.lab_url, now=session.now)
            tenant = settings.tenant
            limits = Limits(
                settings.webhook.body_within, tenant.workspace_id or LAB_WORKSPACE_ID, tenant.workspace_resource_id
            )
            app = make_app(service, gate, metrics, limits, mode=settings.response_mode)
            server = Server(front.alone(app) if front else app, patience=settings.webhook.body_within)
            async with beside(*_loops(session, service, metrics), passing_on(stop, server)):
                try:
                    ready(f"listening on http://{host}:{sockets[0].getsockname()[1]}")
                    await server.serve(sockets)
                except OSError as error:  # another program was quicker to listen on what both had bound
                    raise cannot_listen(host, port, error) from error
            await _wind_down(session, stop)
    return 0


async def work(config: Path, *, front: Front | None = None) -> int:
    """Answer what others have taken, and hunt on schedule, until told to stop.

    Args:
        front: the process that started this one, where there are several tenants.

    Returns:
        The exit code.

    Raises:
        UsageError: a setting is wrong, or the state is a file of one machine.
        StateUnusable: the state database is damaged, or of another version.
    """
    settings = load_settings(config)
    with _logged():
        stop = _stop(front)
        async with _at_work(config, settings, stop) as there:
            if there is None:
                return 0
            session, service, metrics = there
            async with beside(*_loops(session, service, metrics)):
                log("working", version=session.engine.version, name=session.engine.name)
                await stop.told.wait()
            await _wind_down(session, stop)
    return 0


@contextmanager
def _logged() -> Iterator[None]:
    undo = logs.configure(sys.stderr)
    try:
        yield
    finally:
        undo()


def _stop(front: Front | None) -> Stop:
    stop = Stop()
    if front:
        front.end_with_it(stop)
    return stop


def _loops(session: Session, service: Service, metrics: Metrics) -> Iterator[Loop]:
    following = Following(session)
    yield Loop("take-over", service.turn)
    yield Loop("schedule", Schedule(session, service.deliver, _telling(metrics)).turn)
    yield Loop("follow", following.turn)
    yield Loop("prune", following.prune_turn)


@asynccontextmanager
async def _at_work(
    config: Path, settings: Settings, stop: Stop, sockets: Sequence[socket.socket] = ()
) -> AsyncIterator[tuple[Session, Service, Metrics] | None]:
    """A session once the state database answers; None when the process is told to stop before."""
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        metrics.mode_is(settings.response_mode)
        starting = functools.cache(  # said once, whoever is first
            lambda: log("starting", mode=settings.response_mode, tenant=tenant_of(settings), version=__version__)
        )
        if flush := traces.configure():
            stack.callback(flush)
        stack.enter_context(observing(metrics))
        lobby = Lobby(state_url(settings), stop, sockets, waits=starting)
        session = await _opened(config, lobby, stack, starting)
        if session is None:
            yield None
            return
        for key in weak_identities(session.settings):
            log("weak-identity", level=Level.WARNING, reason=f"{key} signs in with a password, which leaks and expires")
        service = Service(session, metrics)
        metrics.observe_queue(service.depth)
        metrics.observe_owed(service.owed)
        metrics.observe_clock(session.connections.clock.ahead)
        metrics.observe_places(places())
        metrics.observe_breakers(session.connections.pace.unasked)
        try:
            await session.connections.clients(read_only=False).warm_up()
        except RespondError as error:
            log("not-ready", level=Level.WARNING, reason=error.message)
        await session.connections.learn_time()
        collector.settle()
        yield session, service, metrics


async def _opened(config: Path, lobby: Lobby, stack: AsyncExitStack, starting: Callable[[], None]) -> Session | None:
    failed = ""
    while await lobby.passed(failed):
        try:
            return await stack.enter_async_context(open_session(config, serves=True, starting=starting))
        except StateAway as error:  # it went away again between the two, or can be read and not written
            failed = error.message
    return None


async def _wind_down(session: Session, stop: Stop) -> None:
    """Go on with what has begun for a while. What is left then, another process goes on with."""
    left = await session.engine.drain(session.settings.serve.grace, hurry=stop.pressed)
    log("stopped", left_to_others=left)
    if left:
        # Ending in order would cancel the actions that are under way, and record them as failed.
        session.engine.leave()
        _leave()
    # A database that hangs keeps its connections from being closed, and their threads this process from ending.
    last = threading.Timer(_CLOSED_WITHIN, _leave)
    last.daemon = True
    last.start()


def _leave() -> None:
    sys.stderr.flush()
    os._exit(0)


def _telling(metrics: Metrics) -> Any:  # noqa: ANN401 - a function
    def tell(result: RoundResult) -> None:
        metrics.round_done(Round.FAILED if result.error else Round.DONE)
        level = Level.WARNING if result.error else Level.INFO
        log(
            "schedule-round",
            level=level,
            looked_at=result.looked_at,
            delivered=result.delivered,
            reason=result.error or None,
        )

    return tell
