"""Writes that wait in the database for a throttled service: each is tried once when due, by whatever process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from respond.models.base import stamp
from respond.models.ladder import Step
from respond.models.later import Later
from respond.observe.setbacks import SETBACKS
from respond.present import present
from respond.store.database import later, writing

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=20)


class Laters:
    """What is tried again, and when."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def plan(self, case: str, waits: Sequence[Later], *, run: str, now: datetime | None = None) -> None:
        """Plan what a run could not do; what it had taken from here is settled."""
        now = now or present()
        mine = (later.c.case_id == case) & (later.c.taken_by == run)
        if not waits and not self._read(mine):
            return  # as nearly always; a transaction that writes costs a flush to the disk
        with writing(self._db, "later", case) as db:
            tried = {(one.step.rung, one.step.object): one.tries for one in _of(db, mine)}
            db.execute(sa.delete(later).where(mine))
            for one in waits:
                named = {"case_id": case, "name": one.step.rung.value, "object": one.step.object}
                db.execute(sa.delete(later).where(*(later.c[name] == value for name, value in named.items())))
                about = one.step.rung, one.step.object
                tries = tried[about] + 1 if about in tried else 0
                # What was taken and came to nothing waits longer each time.
                due = max(one.due, now + _pause(tries)) if tries else one.due
                told = {"step": one.step.model_dump_json(), "due": stamp(due), "taken_by": "", "tries": tries}
                db.execute(sa.insert(later).values(tenant=one.tenant, approved_by=one.by, **named, **told))

    def due(self, tenant: str, now: datetime) -> list[Later]:
        """What may be tried again by now, the longest overdue first; also what a run has taken and not settled."""
        return self._read(later.c.tenant == tenant, later.c.due <= stamp(now))

    def pending(self, tenant: str) -> list[Later]:
        """Everything that waits, the next one first."""
        return self._read(later.c.tenant == tenant)

    def of_case(self, case: str) -> list[Later]:
        """Everything of one case that waits, the next one first."""
        return self._read(later.c.case_id == case)

    def take(self, case: str, due: datetime, by: str, run: str) -> bool:
        """Take for a run what is due at one moment on the word of one person; False when another run has it."""
        free = _these(case, due, by) & later.c.taken_by.in_(("", run))
        with self._db.begin() as db:
            return db.execute(sa.update(later).where(free).values(taken_by=run)).rowcount > 0

    def put_off(self, case: str, run: str, now: datetime) -> None:
        """Nothing came of a run: later again, after twice the pause each time."""
        with writing(self._db, "later", case) as db:
            mine = (later.c.case_id == case) & (later.c.taken_by == run)
            tries = db.execute(sa.select(sa.func.max(later.c.tries)).where(mine)).scalar()
            if tries is None:
                return
            due = now + _pause(int(tries))
            db.execute(sa.update(later).where(mine).values(taken_by="", due=stamp(due), tries=int(tries) + 1))

    def forget(self, case: str) -> None:
        """The case is gone."""
        with self._db.begin() as db:
            db.execute(sa.delete(later).where(later.c.case_id == case))

    def _read(self, *where: sa.ColumnElement[bool]) -> list[Later]:
        query = sa.select(later).where(*where).order_by(later.c.due, later.c.case_id, later.c.name, later.c.object)
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        return SETBACKS.readable("later", rows, _later, lambda row: f"{row['case_id']}/{row['name']}/{row['object']}")


def _pause(tries: int) -> timedelta:
    """Twice as long each time."""
    return min(_FIRST_PAUSE * (1 << min(tries, 10)), _LONGEST_PAUSE)


def _of(db: sa.Connection, where: sa.ColumnElement[bool]) -> list[Later]:
    return [_later(row) for row in db.execute(sa.select(later).where(where)).mappings()]


def _these(case: str, due: datetime, by: str) -> sa.ColumnElement[bool]:
    return (later.c.case_id == case) & (later.c.due == stamp(due)) & (later.c.approved_by == by)


def _later(row: sa.RowMapping) -> Later:
    return Later(
        tenant=row["tenant"],
        case=row["case_id"],
        step=Step.model_validate_json(row["step"]),
        by=row["approved_by"],
        due=datetime.fromisoformat(row["due"]),
        taken_by=row["taken_by"],
        tries=row["tries"],
    )
