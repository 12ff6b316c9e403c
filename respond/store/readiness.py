"""Proof that the state database takes writes: a full disk, a standby or a lock lets reads through, and no delivery."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from respond.store.database import processes, writing

_SIZE = 32 * 1024
"""Characters. More than one page, so that a file that cannot grow is found out; a delivery needs about as much."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Beat of the row: no living process has it, so nobody takes it for one."""


def prove_writable(database: sa.Engine, name: str) -> None:
    """Write a row and take it away again, each in a transaction of its own.

    Args:
        name: of the process that asks; the row is its own, so that nobody waits for anybody.

    Raises:
        SQLAlchemyError: the database does not take it.
    """
    row = {"id": f"readiness/{name}", "version": "", "beat": _NEVER}
    mine = processes.c.id == row["id"]
    with writing(database, "readiness", name) as db:
        db.execute(sa.delete(processes).where(mine))
        db.execute(sa.insert(processes).values({**row, "version": "." * _SIZE}))
    with database.begin() as db:
        db.execute(sa.delete(processes).where(mine))
