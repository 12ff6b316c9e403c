"""`respond serve` and `respond worker`: what a team runs."""

from __future__ import annotations

import asyncio

from respond.cli.interrupt import leaving_at_once
from respond.errors import UsageError
from respond.settings import config_dir, load_settings, state_url


def serve(*, host: str, port: int, config: str | None) -> int:
    """Serve until told to stop."""
    from respond.serving.run import serve as run

    with leaving_at_once():  # until it serves; from then on it winds down
        return asyncio.run(run(config_dir(config), host=host, port=port))


def work(*, config: str | None) -> int:
    """Work beside other machines until told to stop.

    Raises:
        UsageError: the state is a file, which only this machine sees.
    """
    directory = config_dir(config)
    if state_url(load_settings(directory)).startswith("sqlite"):
        raise UsageError(
            "state.url: a worker shares its work through PostgreSQL; write postgresql://USER@HOST/DATABASE"
        )
    from respond.serving.run import work as run

    with leaving_at_once():
        return asyncio.run(run(directory))
