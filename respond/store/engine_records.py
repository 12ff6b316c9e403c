"""The durable engine's own records: what runs were given, what their steps recorded, what they answered.

The engine has no call that drops the records of a finished run and keeps its answer, nor one that finds who is named in
them. So this module reads and deletes rows of its tables; it changes no row of an unfinished run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from weakref import WeakKeyDictionary

import sqlalchemy as sa

_SCHEMA = "dbos"
"""Where the engine keeps its tables on PostgreSQL."""
_RUN = "workflow_uuid"
_OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_AT_ONCE = 200


def tables_of(db: sa.Connection) -> dict[str, sa.Table]:
    """The engine's tables that hold something about a run; empty where it was never started on this database."""
    schema = None if db.dialect.name == "sqlite" else _SCHEMA
    if not sa.inspect(db).has_table("workflow_status", schema=schema):
        return {}
    found = sa.MetaData()
    found.reflect(db, schema=schema, only=lambda name, _: not name.startswith("respond_"), resolve_fks=False)
    return {table.name: table for table in found.tables.values() if _RUN in table.c}


_known: WeakKeyDictionary[sa.Engine, dict[str, sa.Table]] = WeakKeyDictionary()
"""The engine's tables by database, for what is done each minute. SQLAlchemy caches statements with their tables: tables
that were read anew each time would fill that cache with 130 MB."""


def _tables_once(database: sa.Engine) -> dict[str, sa.Table]:
    if database not in _known:
        with database.connect() as db:
            if not (tables := tables_of(db)):
                return {}
        _known[database] = tables
    return _known[database]


def compact(database: sa.Engine, before: datetime) -> int:
    """Delete what runs that ended well before `before` were given and what their steps recorded; keep their answers.

    Returns:
        The number of runs compacted, at most 200 a call.
    """
    tables = _tables_once(database)
    if not tables:
        return 0
    status, steps, given = (tables[name] for name in ("workflow_status", "operation_outputs", "workflow_input"))
    over = status.c.status.in_(_OVER) & (status.c.updated_at < int(before.timestamp() * 1000))
    full = sa.exists().where(given.c[_RUN] == status.c[_RUN]) | sa.exists().where(steps.c[_RUN] == status.c[_RUN])
    with database.begin() as db:
        runs = list(db.execute(sa.select(status.c[_RUN]).where(over, full).limit(_AT_ONCE)).scalars())
        for table in (steps, given):
            db.execute(sa.delete(table).where(table.c[_RUN].in_(runs)))
    return len(runs)


def naming(db: sa.Connection, matches: Callable[[str], object]) -> tuple[set[str], set[str]]:
    """Runs whose records match: those that are over, and those that are not.

    Args:
        matches: whether a text does.
    """
    tables = tables_of(db)
    if not tables:
        return set(), set()
    found = {run for table in tables.values() for run, text in _texts(db, table) if matches(text)}
    status = tables["workflow_status"]
    open_runs: set[str] = set()
    for some in _parts(sorted(found)):
        query = sa.select(status.c[_RUN]).where(status.c[_RUN].in_(some), status.c.status.not_in(_OVER))
        open_runs |= set(db.execute(query).scalars())
    return found - open_runs, open_runs


def texts(db: sa.Connection) -> Iterator[str]:
    """Every text in the records of all runs."""
    for table in tables_of(db).values():
        for _, text in _texts(db, table):
            yield text


def delete_runs(db: sa.Connection, runs: Sequence[str]) -> None:
    """Delete all records of runs that are over."""
    tables = tables_of(db)
    if not tables:
        return
    status = tables.pop("workflow_status")
    for some in _parts(runs):
        over = sa.select(status.c[_RUN]).where(status.c[_RUN].in_(some), status.c.status.in_(_OVER))
        gone = list(db.execute(over).scalars())
        for table in (*tables.values(), status):
            db.execute(sa.delete(table).where(table.c[_RUN].in_(gone)))


def _texts(db: sa.Connection, table: sa.Table) -> Iterator[tuple[str, str]]:
    columns = [column for column in table.c if isinstance(column.type, sa.String)]
    for row in db.execute(sa.select(table.c[_RUN].label("run"), *columns).execution_options(yield_per=_AT_ONCE)):
        for value in row[1:]:
            if value:
                yield row[0], value


def _parts(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    return (runs[start : start + _AT_ONCE] for start in range(0, len(runs), _AT_ONCE))
