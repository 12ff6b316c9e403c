"""`respond serve` and `respond worker`: one process at work, from its first breath to its last."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from respond import collector
from respond.clients.credentials import weak_identities
from respond.errors import RespondError
from respond.following import Following
from respond.observe import logs, traces
from respond.observe.listening import observing
from respond.observe.logs import Level, log
from respond.observe.metrics import Metrics, Round
from respond.serving.behind import Front
from respond.serving.http import Server, bound, cannot_listen
from respond.serving.schedule import RoundResult, Schedule
from respond.serving.service import Service
from respond.serving.stopping import Stop, beside, pass_on
from respond.session import Session, open_session
from respond.settings import LAB_WORKSPACE_ID, load_settings
from respond.webhook.app import Limits, make_app
from respond.webhook.gate import Gate, check_startup


async def serve(config: Path, *, host: str, port: int, front: Front | None = None) -> int:
    """Take deliveries, hunt on schedule and answer, until told to stop.

    Args:
        front: the process that passes deliveries on to this one, where there are several tenants.

    Returns:
        The exit code: 0, or 1 when a part of the service broke.

    Raises:
        UsageError: a setting is wrong, or the address cannot be listened on.
    """
    settings = load_settings(config)
    check_startup(settings, host)
    metrics = Metrics()
    # Before any run is taken over: a process that cannot listen has no business with them.
    with bound(host, port) as sockets:
        async with _at_work(config, metrics) as (session, service, stop):
            gate = Gate.of(settings, host=host, lab_url=session.lab_url)
            tenant = settings.tenant
            limits = Limits(
                settings.webhook.body_within, tenant.workspace_id or LAB_WORKSPACE_ID, tenant.workspace_resource_id
            )
            app = make_app(service, gate, metrics, limits)
            server = Server(front.alone(app) if front else app, patience=settings.webhook.body_within)
            if front:
                front.end_with_it(stop)
            schedule = Schedule(session, service.deliver, _telling(metrics))
            following = Following(session).run()
            async with beside(stop, service.watch(), schedule.run(), following, pass_on(stop, server)):
                try:
                    await server.serve(sockets)
                except OSError as error:  # another program was quicker to listen on what both had bound
                    raise cannot_listen(host, port, error) from error
            await _wind_down(session, stop)
    return int(stop.broken)


async def work(config: Path, *, front: Front | None = None) -> int:
    """Answer what others have taken, and hunt on schedule, until told to stop.

    Args:
        front: the process that started this one, where there are several tenants.

    Returns:
        The exit code, as of `serve`.

    Raises:
        UsageError: a setting is wrong, or the state is a file of one machine.
    """
    metrics = Metrics()
    async with _at_work(config, metrics) as (session, service, stop):
        schedule = Schedule(session, service.deliver, _telling(metrics))
        if front:
            front.end_with_it(stop)
        async with beside(stop, service.watch(), schedule.run(), Following(session).run()):
            log("working", version=session.engine.version, name=session.engine.name)
            await stop.told.wait()
        await _wind_down(session, stop)
    return int(stop.broken)


@asynccontextmanager
async def _at_work(config: Path, metrics: Metrics) -> AsyncIterator[tuple[Session, Service, Stop]]:
    async with AsyncExitStack() as stack:
        stack.callback(logs.configure(sys.stderr))
        if stop := traces.configure():
            stack.callback(stop)
        stack.enter_context(observing(metrics))
        session = await stack.enter_async_context(open_session(config, serves=True))
        for key in weak_identities(session.settings):
            log("weak-identity", level=Level.WARNING, reason=f"{key} signs in with a password, which leaks and expires")
        service = Service(session, metrics)
        metrics.observe_queue(service.depth)
        metrics.observe_breakers(session.connections.pace.unasked)
        try:
            await session.connections.clients(read_only=False).warm_up()
        except RespondError as error:
            log("not-ready", level=Level.WARNING, reason=error.message)
        collector.settle()
        yield session, service, Stop()


async def _wind_down(session: Session, stop: Stop) -> None:
    """Go on with what has begun for a while. What is left then, another process goes on with."""
    left = await session.engine.drain(session.settings.serve.grace, hurry=stop.pressed)
    log("stopped", left_to_others=left)
    if left:
        # Ending in order would cancel the actions that are under way, and record them as failed.
        session.engine.leave()
        sys.stderr.flush()
        os._exit(int(stop.broken))


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
