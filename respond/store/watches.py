"""Watches in the database: each is taken by one run, whatever process plans or repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from respond.models.base import moment, stamp
from respond.models.watches import Watch
from respond.observe.setbacks import SETBACKS
from respond.store.database import watches, writing

_NOT_DONE = watches.c.done_at == ""


class Watches:
    """Looks that are planned, and what they saw."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def plan(self, tenant: str, case: str, user_id: str, dues: Sequence[datetime]) -> None:
        """Plan looks at a user. The same plan again changes nothing.

        Another plan for the same case, after a new containment, takes the place of what nobody has taken yet. Its
        numbers go on after the highest so far: a run that is about to take an old one must not get a new one.

        Args:
            dues: when to look, UTC.
        """
        ours = watches.c.case_id == case
        wanted = sorted({stamp(due) for due in dues})
        with writing(self._db, "watches", case) as db:
            rows = db.execute(sa.select(watches.c.number, watches.c.plan, watches.c.due).where(ours)).all()
            newest = max((row.plan for row in rows), default=0)
            if rows and wanted == sorted(row.due for row in rows if row.plan == newest):
                return
            db.execute(sa.delete(watches).where(ours, watches.c.taken_by == "", _NOT_DONE))
            whose = {"tenant": tenant, "case_id": case, "user_id": user_id, "plan": newest + 1}
            for number, due in enumerate(wanted, start=max((row.number for row in rows), default=0) + 1):
                db.execute(sa.insert(watches).values(number=number, due=due, taken_by="", done_at="", said="", **whose))

    def due(self, tenant: str, now: datetime) -> list[Watch]:
        """Looks whose time has come and that are not done, the longest overdue first; also those that were taken."""
        return self._read(watches.c.tenant == tenant, _NOT_DONE, watches.c.due <= stamp(now))

    def pending(self, tenant: str) -> list[Watch]:
        """Looks that are not done, the next one first."""
        return self._read(watches.c.tenant == tenant, _NOT_DONE)

    def take(self, case: str, number: int, by: str, *, instead_of: str = "") -> bool:
        """Take a look for a run; False when another has it, or it is done or gone. The same run may take it again.

        Args:
            instead_of: a run that had it and has ended without an answer.
        """
        free = _this(case, number) & _NOT_DONE & watches.c.taken_by.in_(("", by, instead_of))
        with self._db.begin() as db:
            return db.execute(sa.update(watches).where(free).values(taken_by=by)).rowcount == 1

    def put_off(self, case: str, number: int, *, run: str, due: datetime) -> None:
        """Nothing came of a look that a run had taken: it is free again, and due later."""
        with self._db.begin() as db:
            mine = _this(case, number) & _NOT_DONE & (watches.c.taken_by == run)
            db.execute(sa.update(watches).where(mine).values(taken_by="", due=stamp(due)))

    def of_case(self, case: str) -> list[Watch]:
        """Every look that was ever planned for a case and not replaced, the first one first."""
        return self._read(watches.c.case_id == case)

    def done(self, case: str, number: int, at: datetime, said: str) -> None:
        """Note what a look saw; what was noted first stays."""
        with self._db.begin() as db:
            db.execute(sa.update(watches).where(_this(case, number), _NOT_DONE).values(done_at=stamp(at), said=said))

    def _read(self, *where: sa.ColumnElement[bool]) -> list[Watch]:
        query = sa.select(watches).where(*where).order_by(watches.c.due, watches.c.case_id, watches.c.number)
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        return SETBACKS.readable("recheck", rows, _watch, lambda row: f"{row['case_id']}/{row['number']}")


def _this(case: str, number: int) -> sa.ColumnElement[bool]:
    return (watches.c.case_id == case) & (watches.c.number == number)


def _watch(row: sa.RowMapping) -> Watch:
    same = {name: value for name, value in row.items() if name not in ("case_id", "plan")}
    times = {name: moment(row[name]) for name in ("due", "done_at")}
    return Watch.from_row(**{**same, **times, "case": row["case_id"]})
