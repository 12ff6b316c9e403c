"""Can cases be kept? A row is written and taken back in the same transaction; the schema is compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from respond.doctor.patient import Patient
from respond.errors import UsageError
from respond.models.base import stamp
from respond.models.checkup import Result, error, ok, warning
from respond.settings import state_dir, state_url
from respond.store.database import connect, freezes, metadata, open_database
from respond.store.schema import Fit, Schema, read_schema

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


async def schema(patient: Patient) -> Sequence[Result]:
    """Whether the tables of the database are those that this program needs."""
    try:
        found = await asyncio.to_thread(_schema, state_url(patient.settings))
    except (sa.exc.SQLAlchemyError, UsageError):
        return []  # said by the line above
    match found.fit:
        case Fit.OLDER:
            todo = "respond state upgrade backs it up and migrates it; otherwise the next command migrates it"
            return [warning("state schema", found.told, todo)]
        case Fit.DAMAGED:
            return [error("state schema", found.told, "respond state upgrade adds it, empty; or restore a backup")]
        case Fit.NEWER:
            return [error("state schema", found.told, "install the version that wrote it, or a later one")]
        case _:
            return [ok("state schema", found.told)]


def _schema(url: str) -> Schema:
    engine = connect(url)
    try:
        with engine.connect() as db:
            return read_schema(db, metadata)
    finally:
        engine.dispose()


def _try_to_write(url: str) -> None:
    # One that does not fit is left as it is.
    engine = open_database(url) if _schema(url).fit is Fit.EMPTY else connect(url)
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
