"""`respond serve` and `respond worker`: what a team runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from respond import __version__, tenants
from respond.cli.interrupt import leaving_at_once
from respond.errors import UsageError
from respond.settings import config_dir, load_settings, load_tenants, state_url


def serve(*, host: str, port: int, behind: bool, config: str | None) -> int:
    """Serve until told to stop: one tenant here, or each of several in a process of its own."""
    directory = config_dir(config)
    _check_system("serve")
    with leaving_at_once():  # until it serves; from then on it winds down
        if not tenants.chosen() and load_tenants(directory):
            from respond.serving.front import serve_tenants

            return asyncio.run(serve_tenants(directory, host=host, port=port, ready=lambda what: _say(directory, what)))
        from respond.serving.behind import Front
        from respond.serving.run import serve as run

        if behind:
            return asyncio.run(run(directory, host=host, port=port, front=Front()))
        return asyncio.run(run(directory, host=host, port=port, ready=lambda what: _say(directory, what)))


def work(*, behind: bool, config: str | None) -> int:
    """Work beside other machines until told to stop.

    Raises:
        UsageError: the state is a file, which only this machine sees.
    """
    directory = config_dir(config)
    _check_system("worker")
    if not tenants.chosen() and load_tenants(directory):
        from respond.serving.front import work_tenants

        with leaving_at_once():
            return asyncio.run(work_tenants(directory))
    if state_url(load_settings(directory)).startswith("sqlite"):
        raise UsageError(
            "state.url: a worker shares its work through PostgreSQL; write postgresql://USER@HOST/DATABASE"
        )
    from respond.serving.behind import Front
    from respond.serving.run import work as run

    with leaving_at_once():
        return asyncio.run(run(directory, front=Front() if behind else None))


def _check_system(command: str) -> None:
    """Refuse where signals and locks are missing that a service needs."""
    if sys.platform == "win32":
        raise UsageError(f"{command}: needs Linux or macOS; on Windows run it in WSL or in the container")


def _say(directory: Path, what: str) -> None:
    """One line for people, on standard output; the log is on standard error."""
    several = {} if tenants.chosen() else load_tenants(directory)
    found = several or {"": load_settings(directory)}
    who = [
        f"{name or ('LAB tenant' if one.is_lab else f'tenant {one.tenant.tenant_id}')}, mode {one.response_mode}"
        for name, one in found.items()
    ]
    sys.stdout.write(f"respond {__version__} · {' · '.join(who)} · {what} · Ctrl-C ends it\n")
    sys.stdout.flush()
