"""`respond serve` with more than one tenant: a process for each, and this one in front, which only passes on.

What belongs to a tenant (credentials, cases, limits, audit log, the check of who delivers) is in its own process alone;
so is its trouble. The front holds senders to the same limits of time and size as a service does, finds out whose a
delivery is, and gives the answer of that tenant's process back. It says 202 never of its own accord.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from respond.errors import UsageError
from respond.observe import logs
from respond.observe.logs import log
from respond.observe.tenants import TenantFigures
from respond.policies import load_policy
from respond.serving.child import Child
from respond.serving.door import make_front
from respond.serving.http import Server, bound, cannot_listen
from respond.serving.passing import Passing
from respond.serving.stopping import Stop, beside, passing_on
from respond.serving.supervised import Loop, supervised
from respond.settings import Settings, load_tenants, state_url
from respond.webhook.gate import check_startup
from respond.webhook.routing import Routes


async def serve_tenants(config: Path, *, host: str, port: int, ready: Callable[[str], None]) -> int:
    """Take the deliveries of all tenants until told to stop.

    Args:
        ready: told where it listens.

    Returns:
        The exit code.

    Raises:
        UsageError: a setting of one of them is wrong, or the address cannot be listened on.
    """
    settings = _checked(config)
    for name, one in settings.items():
        with _of(name):
            check_startup(one, host)
    figures = TenantFigures(settings)
    patience = max(one.webhook.body_within for one in settings.values())
    with bound(host, port) as sockets:
        async with AsyncExitStack() as stack:
            stack.callback(logs.configure(sys.stderr))
            stop, kept = Stop(), _children(settings, ("serve", "--host", "127.0.0.1", "--port", "0"), config, figures)
            ways = {name: Passing(child, figures, settings[name].serve.beat) for name, child in kept.items()}
            for way in ways.values():
                stack.push_async_callback(way.close)
            server = Server(make_front(Routes.of(settings), ways, figures, within=patience), patience=patience)
            keeping = _keeping(kept)
            watching = (Loop(f"tenant-watch:{name}", way.turn) for name, way in ways.items())
            async with beside(*watching, passing_on(stop, server)):
                try:
                    ready(f"listening on http://{host}:{sockets[0].getsockname()[1]}")
                    await server.serve(sockets)
                except OSError as error:  # another program was quicker to listen on what both had bound
                    raise cannot_listen(host, port, error) from error
                finally:
                    await _wind_down(kept, keeping, stop)
    return 0


async def work_tenants(config: Path) -> int:
    """One worker for each tenant, until told to stop.

    Returns:
        The exit code, as of `serve_tenants`.

    Raises:
        UsageError: a setting of one of them is wrong, or its state is a file of one machine.
    """
    settings = _checked(config)
    for name, one in settings.items():
        if state_url(one).startswith("sqlite"):
            raise UsageError(
                f"tenants.{name}.state.url: a worker shares its work through PostgreSQL; write "
                "postgresql://USER@HOST/DATABASE"
            )
    undo = logs.configure(sys.stderr)
    try:
        stop, kept = Stop(), _children(settings, ("worker",), config, TenantFigures(settings))
        keeping = _keeping(kept)
        await stop.told.wait()
        await _wind_down(kept, keeping, stop)
    finally:
        undo()
    return 0


def _checked(config: Path) -> dict[str, Settings]:
    """What every tenant's process would refuse to start with is said once, before any of them starts."""
    settings = load_tenants(config)
    for name in settings:
        load_policy(config, tenant=name)
    return settings


@contextmanager
def _of(name: str) -> Iterator[None]:
    """A key that is wrong is one of this tenant's; an option is everybody's."""
    try:
        yield
    except UsageError as error:
        said = error.message.replace(" webhook.", f" tenants.{name}.webhook.")
        raise UsageError(said if said.startswith("--") else f"tenants.{name}.{said}") from error


def _children(
    settings: Mapping[str, Settings], command: tuple[str, ...], config: Path, figures: TenantFigures
) -> dict[str, Child]:
    return {
        name: Child(name, command, config=config, grace=one.serve.grace, figures=figures)
        for name, one in settings.items()
    }


def _keeping(kept: Mapping[str, Child]) -> asyncio.Future[list[None]]:
    """They end when they are told to, and not by being cancelled: their last lines are to be heard."""
    loops = (Loop(f"tenant:{name}", child.keep, lasts=True) for name, child in kept.items())
    return asyncio.gather(*map(supervised, loops))


async def _wind_down(kept: Mapping[str, Child], keeping: asyncio.Future[list[None]], stop: Stop) -> None:
    await asyncio.gather(*(child.stop(stop.pressed) for child in kept.values()))
    await keeping
    log("stopped", tenants=len(kept))
