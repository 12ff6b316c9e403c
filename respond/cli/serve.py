"""`respond serve` and `respond worker`: what a team runs."""

from __future__ import annotations

import asyncio

from respond import tenants
from respond.cli.interrupt import leaving_at_once
from respond.errors import UsageError
from respond.settings import config_dir, load_settings, load_tenants, state_url


def serve(*, host: str, port: int, behind: bool, config: str | None) -> int:
    """Serve until told to stop: one tenant here, or each of several in a process of its own."""
    directory = config_dir(config)
    with leaving_at_once():  # until it serves; from then on it winds down
        if not tenants.chosen() and load_tenants(directory):
            from respond.serving.front import serve_tenants

            return asyncio.run(serve_tenants(directory, host=host, port=port))
        from respond.serving.behind import Front
        from respond.serving.run import serve as run

        return asyncio.run(run(directory, host=host, port=port, front=Front() if behind else None))


def work(*, behind: bool, config: str | None) -> int:
    """Work beside other machines until told to stop.

    Raises:
        UsageError: the state is a file, which only this machine sees.
    """
    directory = config_dir(config)
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
