"""Can cases be kept? A row is written and taken back in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from respond.doctor.patient import Patient
from respond.errors import UsageError
from respond.models.base import stamp
from respond.models.checkup import Result, error, ok
from respond.settings import state_dir, state_url
from respond.store.database import freezes, open_database

_TODO = "set state.url to a place that this user may write to"


async def database(patient: Patient) -> Sequence[Result]:
    """Which database it is, and whether it takes a write."""
    url = state_url(patient.settings)
    try:
        await asyncio.to_thread(_try_to_write, url)
    except (sa.exc.SQLAlchemyError, UsageError) as broken:
        reason = broken.message if isinstance(broken, UsageError) else str(getattr(broken, "orig", broken))
        return [error("state database", f"{_named(url)} cannot be written: {reason.splitlines()[0]}", _TODO)]
    folder = state_dir(patient.settings)
    return [ok("state database", f"{_named(url)} takes writes; files in {folder}")]


def _try_to_write(url: str) -> None:
    engine = open_database(url)
    try:
        with engine.connect() as connection:
            now = stamp(datetime.now(UTC))
            row = {"tenant": "respond-doctor", "at": now, "frozen_by": "respond doctor", "why": "taken back at once"}
            connection.execute(sa.insert(freezes).values(**row))
            connection.rollback()
    finally:
        engine.dispose()


def _named(url: str) -> str:
    """The database without its password."""
    if url.startswith("sqlite"):
        return f"SQLite, {url.removeprefix('sqlite:///')}"
    found = sa.engine.make_url(url)
    return f"PostgreSQL, {found.host or 'local'}/{found.database}"
