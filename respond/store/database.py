"""The tables beside the engine's own: cases and what they leave behind, deliveries, and what holds a response back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from respond.durable import engine_kwargs, sqlalchemy_url
from respond.errors import StateAway, UsageError
from respond.models.base import DOCUMENTS
from respond.plain_errors import file_error, state_error
from respond.store.file import make_whole
from respond.store.schema import Fit, bring_up_to_date, read_schema

metadata = sa.MetaData()

cases = sa.Table(
    "respond_cases",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("busy_run", sa.Text, nullable=False, default=""),
)
releases = sa.Table(
    "respond_releases",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
)
keys = sa.Table(
    "respond_case_keys",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False),
)
reports = sa.Table(
    "respond_reports",
    metadata,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False, index=True),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
)
tickets = sa.Table(
    "respond_tickets",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False, unique=True),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
facts = sa.Table(
    "respond_facts",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True, index=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("upn", sa.Text, nullable=False),
)
deliveries = sa.Table(
    "respond_deliveries",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("repeats", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("broken", sa.Integer, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
    sa.Index("respond_deliveries_by_digest", "tenant", "digest"),
)
asks = sa.Table(
    "respond_asks",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("delivery", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
    sa.Index("respond_asks_by_delivery", "tenant", "delivery"),
)
turns = sa.Table(
    "respond_turns",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
)
sightings = sa.Table(
    "respond_sightings",
    metadata,
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
)
rounds = sa.Table(
    "respond_schedule_rounds",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("arrived_until", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
)
processes = sa.Table(
    "respond_processes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
)
audit = sa.Table(
    "respond_audit",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
audit_texts = sa.Table(
    "respond_audit_texts",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("salt", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
audit_head = sa.Table(
    "respond_audit_head",
    metadata,
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
freezes = sa.Table(
    "respond_freezes",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("frozen_by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
slots = sa.Table(
    "respond_slots",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("batch", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("overridden", sa.Boolean, nullable=False),
    sa.Index("respond_slots_by_time", "tenant", "at"),
    sa.Index("respond_slots_by_batch", "tenant", "batch"),
)
approvals = sa.Table(
    "respond_approvals",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False, index=True),
    sa.Column("answered_by", sa.Text, nullable=False),
    sa.Column("answered_at", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
)
intents = sa.Table(
    "respond_intents",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("undone_at", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
)
watches = sa.Table(
    "respond_watches",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("plan", sa.Integer, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text, nullable=False),
    sa.Column("done_at", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Index("respond_watches_by_time", "tenant", "done_at", "due"),
)
links = sa.Table(
    "respond_links",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("handle", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
later = sa.Table(
    "respond_later",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
    sa.Index("respond_later_by_time", "tenant", "due"),
)

owed = sa.Table(
    "respond_owed",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, default=DOCUMENTS, server_default="1"),
    sa.Index("respond_owed_by_time", "tenant", "due"),
)


def open_database(url: str) -> sa.Engine:
    """Connect; create the tables in an empty database, migrate those of an older version.

    Raises:
        UsageError: it is no database URL, the server refuses the user or the name, or the database is newer than this
            program or lacks a table or column; says what to change.
        StateAway: not reachable, locked or full just now.
        StateUnusable: damaged, or no database.
    """
    engine = connect(url)
    try:
        with engine.connect() as connection:
            fit = read_schema(connection, metadata).fit
        if fit not in (Fit.FITS, Fit.NEWER_AND_USABLE):
            with writing(engine, "schema") as connection:
                bring_up_to_date(connection, metadata)
    except DBAPIError as error:
        engine.dispose()
        raise state_error(error) from error
    except UsageError:
        engine.dispose()
        raise
    return engine


def connect(url: str) -> sa.Engine:
    """An engine for the database; nothing is looked at.

    Raises:
        UsageError: not a URL, or the folder cannot be created.
    """
    if url.startswith("sqlite:///"):
        file = Path(sa.make_url(url).database or "")
        _make_private_folder(file.parent)
        try:
            make_whole(file)
        except OSError as error:
            raise StateAway(f"state.url: {file} cannot be made: {error.strerror}") from error
        except sqlite3.Error as error:
            raise state_error(error) from error
    try:
        engine = sa.create_engine(sqlalchemy_url(url), **engine_kwargs(url))
    except (ValueError, sa.exc.ArgumentError):  # their text may hold the password
        raise UsageError("state.url: not a database URL; write postgresql://USER@HOST/DATABASE") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
    return engine


@contextmanager
def writing(database: sa.Engine, *about: str) -> Iterator[sa.Connection]:
    """A transaction that reads before it writes, alone with what it is about.

    Args:
        about: who or what; others that name the same wait. SQLite has one writer at a time whatever it is about.
    """
    with database.begin() as db:
        if db.dialect.name == "sqlite":
            db.exec_driver_sql("BEGIN IMMEDIATE")  # the driver would begin only at the first write
        else:
            wait_for(db, *about)
        yield db


def wait_for(db: sa.Connection, *about: str) -> None:
    """Be alone with something more until the end of a transaction that `writing` began.

    Whoever takes two takes "audit" last, or two transactions could wait for each other.
    """
    if db.dialect.name != "sqlite":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("|".join(about), 0))))


@contextmanager
def reading(database: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction whose queries all see the same moment, whatever is written meanwhile."""
    with database.connect() as db:
        if db.dialect.name == "sqlite":
            db.exec_driver_sql("BEGIN")  # the driver begins none for what only reads
        else:
            db.execution_options(isolation_level="REPEATABLE READ")
        yield db


def _make_private_folder(folder: Path) -> None:
    # Cases name people and addresses: for the owner's eyes.
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(f"state.url: {folder} cannot be created", error, passing=StateAway) from error


def _sqlite_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI connection
    # The engine's own settings for the same file: writers wait for each other instead of failing.
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")
    # Of a new file: deleted pages can be given back without rewriting it. In another file it changes nothing.
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    _keep_a_write_ahead_log(connection)


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


@retry(retry=retry_if_exception(_is_busy), stop=stop_after_delay(30), wait=wait_random(0.005, 0.05), reraise=True)
def _keep_a_write_ahead_log(connection: Any) -> None:  # noqa: ANN401 - DBAPI connection
    """Kept in the file, so it is the engine's journal as well: one flush to the disk a transaction instead of three.

    Readers do not wait for the writer. Switching a new file to it takes an exclusive lock, and SQLite does not always
    wait for that lock: when two processes open a new file at the same moment, one may be refused in spite of the busy
    timeout.
    """
    connection.execute("PRAGMA journal_mode=WAL")
