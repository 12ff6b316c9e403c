"""The brakes in the database, which all processes share: a freeze of the tenant, and slots for people contained.

A tenant's id is compared in lower case: a freeze has to hold for a process whose settings write it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from respond.models.audit import AuditKind, Note
from respond.models.base import stamp
from respond.models.brakes import Freeze, Limits, Slot
from respond.store.audit import write_down
from respond.store.database import freezes, slots, writing

_HOUR, _DAY = timedelta(hours=1), timedelta(hours=24)
_Bound = tuple[sa.ColumnElement[bool], int, str, str]
"""Which slots count, how many people they may be, and how to say the two."""


class Brakes:
    """Freeze and limits."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def freeze(self, tenant: str, by: str, why: str, at: datetime) -> bool:
        """Freeze a tenant, and say so in the audit log; False when it is frozen already, which then stays as it is."""
        freeze = Freeze(at=at, by=by, why=why)
        with writing(self._db, "freeze", tenant.lower()) as db:
            if _frozen(db, tenant):
                return False
            row = {"tenant": tenant.lower(), "at": stamp(at), "frozen_by": freeze.by, "why": freeze.why}
            db.execute(sa.insert(freezes).values(row))
            what = f"frozen: {freeze.why}" if freeze.why else "frozen"
            write_down(db, _note(tenant, freeze.by, at, AuditKind.FREEZE, what, {"why": freeze.why}))
        return True

    def thaw(self, tenant: str, by: str, at: datetime) -> bool:
        """End a freeze, and say so in the audit log; False when there was none."""
        with writing(self._db, "freeze", tenant.lower()) as db:
            freeze = _frozen(db, tenant)
            if freeze is None:
                return False
            db.execute(sa.delete(freezes).where(freezes.c.tenant == tenant.lower()))
            detail = {"frozen_at": stamp(freeze.at), "frozen_by": freeze.by, "why": freeze.why}
            write_down(db, _note(tenant, by, at, AuditKind.THAW, "thawed", detail))
        return True

    def frozen(self, tenant: str) -> Freeze | None:
        """The freeze of a tenant, as it is now; one look at a key."""
        with self._db.connect() as db:
            return _frozen(db, tenant)

    def take_slot(
        self,
        *,
        tenant: str,
        user_id: str,
        case: str,
        batch: str,
        now: datetime,
        limits: Limits,
        tenant_users: int | None,
        override: bool = False,
    ) -> Slot:
        """Count a person in before containing them, unless that is one more than a limit allows. First come.

        The same person for the same case again has the slot already. A person counts once, for however many cases.

        Args:
            batch: what is contained together, for `per_run`.
            tenant_users: how many users the tenant has; None when that is unknown, then `share` is not asked for.
            override: a person has approved: granted over every limit, and counted.
        """
        ours = slots.c.tenant == tenant.lower()
        mine = ours & (slots.c.user_id == user_id)
        with writing(self._db, "slots", tenant.lower()) as db:
            if db.execute(sa.select(slots.c.at).where(mine, slots.c.case_id == case)).first():
                return Slot(granted=True)
            reason = ""
            for period, most, when, key in _bounds(batch, now, limits, tenant_users):
                people = set(db.execute(sa.select(slots.c.user_id).where(ours, period).distinct()).scalars())
                if user_id not in people and len(people) >= most:
                    reason = _reason(len(people), most, when, key)
                    break
            if reason and not override:
                return Slot(granted=False, reason=reason)
            who = {"tenant": tenant.lower(), "user_id": user_id, "case_id": case}
            db.execute(sa.insert(slots).values(**who, batch=batch, at=stamp(now), overridden=override))
        return Slot(granted=True, reason=f"a person approved it, although {reason}" if reason else "")


def _bounds(batch: str, now: datetime, limits: Limits, users: int | None) -> Iterator[_Bound]:
    # What another machine, whose clock is ahead, has taken in what is our future counts as well.
    yield slots.c.batch == batch, limits.per_run, "in this run", "ladder.limits.per_run"
    yield slots.c.at > stamp(now - _HOUR), limits.per_hour, "within the last hour", "ladder.limits.per_hour"
    if users is None:
        return
    share = int(Decimal(str(limits.share)) * users)  # as a float, 0.29 of 100 would be 28
    key = "ladder.limits.share" if share >= limits.share_at_least else "ladder.limits.share_at_least"
    yield slots.c.at > stamp(now - _DAY), max(share, limits.share_at_least), "within the last 24 hours", key


def _reason(count: int, most: int, when: str, key: str) -> str:
    who = "1 user was" if count == 1 else f"{count} users were"
    limit = "the limit" if count == most else f"more than the limit of {most}"
    return f"{who} contained {when}, which is {limit} ({key})"


def _frozen(db: sa.Connection, tenant: str) -> Freeze | None:
    row = db.execute(sa.select(freezes).where(freezes.c.tenant == tenant.lower())).mappings().first()
    return Freeze(at=datetime.fromisoformat(row["at"]), by=row["frozen_by"], why=row["why"]) if row else None


def _note(tenant: str, by: str, at: datetime, kind: AuditKind, what: str, detail: dict[str, str]) -> Note:
    return Note(tenant=tenant, case="", run="", actor=by, kind=kind, what=what, detail={**detail}, at=at)
