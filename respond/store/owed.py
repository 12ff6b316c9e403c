"""Work that an outage kept from being done: kept here until it is done, however long that takes.

The pauses between tries grow (`retry.make_up`), and the last one repeats without end. As soon as one piece of work of a
kind succeeds, the others of that kind are due: the service answers again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from respond.models.base import iso_z, stamp
from respond.models.owed import Owed, OwedKind
from respond.observe.setbacks import SETBACKS
from respond.store.database import deliveries, owed, wait_for, writing

_WAITING = "waiting"
_JITTER = 0.2


def pause_after(tries: int, pauses: Sequence[timedelta]) -> timedelta:
    """How long to wait after so many tries: the last pause repeats.

    Up to a fifth shorter, so that what failed together is not tried again together.
    """
    return pauses[min(max(tries, 1), len(pauses)) - 1] * (1 - random.uniform(0, _JITTER))  # noqa: S311 - no secret


class OwedWork:
    """What is owed, by kind and key."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def put(self, work: Owed, *, now: datetime, pauses: Sequence[timedelta], until: datetime | None = None) -> Owed:
        """Keep work that came to nothing; the same work again counts one try more and replaces what is kept of it.

        Args:
            work: its `due`, `tries` and `since` are set here.
            until: a moment that the service named; it is not tried before.
        """
        with writing(self._db, "owed", work.tenant, work.kind.value) as db:
            return put(db, work, now=now, pauses=pauses, until=until)

    def put_off(self, work: Owed, reason: str, *, now: datetime, pauses: Sequence[timedelta]) -> Owed:
        """Note that a try came to nothing, unless the work is done or replaced meanwhile."""
        with writing(self._db, "owed", work.tenant, work.kind.value) as db:
            if db.execute(sa.select(owed.c.key).where(_this(work.tenant, work.kind, work.key))).first() is None:
                return work
            return put(db, work.model_copy(update={"reason": reason}), now=now, pauses=pauses)

    def find(self, tenant: str, kind: OwedKind, key: str) -> Owed | None:
        """One piece of work, if it is owed."""
        return next(iter(self._read(_this(tenant, kind, key))), None)

    def settle(self, tenant: str, kind: OwedKind, key: str, *, now: datetime) -> bool:
        """The work is done, whoever did it; False when it was not owed. Others of its kind are due from now on."""
        if self.find(tenant, kind, key) is None:
            return False  # as nearly always; a transaction that writes costs a flush to the disk
        with writing(self._db, "owed", tenant, kind.value) as db:
            return settle(db, tenant, kind, key, now=now)

    def forget(self, tenant: str, kind: OwedKind, key: str) -> None:
        """Nobody tries it any more: trying again cannot help."""
        if self.find(tenant, kind, key) is not None:
            with writing(self._db, "owed", tenant, kind.value) as db:
                forget(db, tenant, kind, key)

    def due(self, tenant: str, now: datetime) -> list[Owed]:
        """What may be tried again by now, the longest overdue first. Deliveries are begun again by the intake."""
        return self._read(owed.c.tenant == tenant, owed.c.kind != OwedKind.DELIVERY.value, owed.c.due <= stamp(now))

    def pending(self, tenant: str) -> list[Owed]:
        """Everything that is owed, the next one first."""
        return self._read(owed.c.tenant == tenant)

    def of_case(self, case: str) -> list[Owed]:
        """What is owed to one case, the next one first."""
        return self._read(owed.c.case_id == case)

    def take(self, work: Owed, run: str) -> bool:
        """Take work for a run; False when another run has it, or it is done."""
        free = _this(work.tenant, work.kind, work.key) & owed.c.taken_by.in_(("", run))
        with self._db.begin() as db:
            return db.execute(sa.update(owed).where(free).values(taken_by=run)).rowcount > 0

    def counts(self, tenant: str) -> Mapping[str, int]:
        """How much is owed, by kind."""
        query = sa.select(owed.c.kind, sa.func.count()).where(owed.c.tenant == tenant).group_by(owed.c.kind)
        with self._db.connect() as db:
            return {kind: count for kind, count in db.execute(query).all()}  # noqa: C416 - Row is no tuple to mypy

    def _read(self, *where: sa.ColumnElement[bool]) -> list[Owed]:
        query = sa.select(owed).where(*where).order_by(owed.c.due, owed.c.kind, owed.c.key)
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        return SETBACKS.readable("owed", rows, _owed, lambda row: f"{row['kind']}/{row['key']}")


def put(
    db: sa.Connection, work: Owed, *, now: datetime, pauses: Sequence[timedelta], until: datetime | None = None
) -> Owed:
    """As `OwedWork.put`, within a transaction."""
    this = _this(work.tenant, work.kind, work.key)
    known = db.execute(sa.select(owed.c.tries, owed.c.since).where(this)).one_or_none()
    tries = (known.tries if known else 0) + 1
    due = max(now + pause_after(tries, pauses), until or now)
    since = datetime.fromisoformat(known.since) if known else now
    kept = work.model_copy(update={"due": due, "tries": tries, "since": since, "taken_by": ""})
    db.execute(sa.delete(owed).where(this))
    db.execute(sa.insert(owed).values(**_row(kept)))
    return kept


def settle(db: sa.Connection, tenant: str, kind: OwedKind, key: str, *, now: datetime) -> bool:
    """As `OwedWork.settle`, within a transaction."""
    if db.execute(sa.select(owed.c.key).where(_this(tenant, kind, key))).first() is None:
        return False
    wait_for(db, "owed", tenant, kind.value)  # two that hurry the same rows would wait for each other
    db.execute(sa.delete(owed).where(_this(tenant, kind, key)))
    others = (owed.c.tenant == tenant) & (owed.c.kind == kind.value) & (owed.c.due > stamp(now))
    if kind is OwedKind.DELIVERY:
        waiting = sa.select(owed.c.key).where(others)
        theirs = (deliveries.c.tenant == tenant) & (deliveries.c.state == _WAITING) & deliveries.c.key.in_(waiting)
        db.execute(sa.update(deliveries).where(theirs).values(due=iso_z(now)))
    db.execute(sa.update(owed).where(others).values(due=stamp(now)))
    return True


def forget(db: sa.Connection, tenant: str, kind: OwedKind, key: str) -> None:
    """Nobody tries it any more."""
    db.execute(sa.delete(owed).where(_this(tenant, kind, key)))


def most_tries(db: sa.Connection, tenant: str, kind: OwedKind, keys: Sequence[str]) -> int:
    """How often the work was tried; of several keys the most."""
    mine = (owed.c.tenant == tenant) & (owed.c.kind == kind.value) & owed.c.key.in_(keys)
    return int(db.execute(sa.select(sa.func.max(owed.c.tries)).where(mine)).scalar() or 0)


def _this(tenant: str, kind: OwedKind, key: str) -> sa.ColumnElement[bool]:
    return (owed.c.tenant == tenant) & (owed.c.kind == kind.value) & (owed.c.key == key)


def _row(work: Owed) -> dict[str, object]:
    same = {name: value for name, value in work if name not in ("case", "kind", "due", "since")}
    return {
        **same,
        "case_id": work.case,
        "kind": work.kind.value,
        "due": stamp(work.due),
        "since": stamp(work.since),
    }


def _owed(row: sa.RowMapping) -> Owed:
    same = {name: value for name, value in row.items() if name != "case_id"}
    times = {name: datetime.fromisoformat(row[name]) for name in ("due", "since")}
    return Owed(**{**same, **times, "case": row["case_id"]})
