"""Intents in the database: what was there before a change survives a crash, a lost answer and a second try.

A second try reads what the first may have changed already. So the first one's `before` stays until it was undone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from respond.models.base import moment, stamp
from respond.models.intents import Intent
from respond.store.database import intents, writing


class Intents:
    """What was about to be changed."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def begin(self, intent: Intent) -> Intent:
        """Write an intent down before its change is sent, and return the one that holds.

        That is the one of an earlier try, with what was there before it, unless it was undone.
        """
        this = _this(intent.case, intent.name, intent.object)
        with writing(self._db, "intents", intent.case) as db:
            row = db.execute(sa.select(intents).where(this)).mappings().first()
            if row and not row["undone_at"]:
                return _intent(row)
            last = db.execute(sa.select(sa.func.max(intents.c.number)).where(intents.c.case_id == intent.case)).scalar()
            fresh = intent.model_copy(update={"undone_at": None})
            db.execute(sa.delete(intents).where(this))
            db.execute(sa.insert(intents).values(**_row(fresh), number=(last or 0) + 1))
            return fresh

    def of_case(self, case: str) -> list[Intent]:
        """The intents of a case, oldest first; those that were undone as well."""
        query = sa.select(intents).where(intents.c.case_id == case).order_by(intents.c.number)
        with self._db.connect() as db:
            return [_intent(row) for row in db.execute(query).mappings()]

    def find(self, case: str, name: str, object: str) -> Intent | None:  # noqa: A002 - as the model calls it
        with self._db.connect() as db:
            row = db.execute(sa.select(intents).where(_this(case, name, object))).mappings().first()
        return _intent(row) if row else None

    def undone(self, case: str, name: str, object: str, at: datetime) -> bool:  # noqa: A002
        """Note that what was there before was put back; False when nothing was left to undo."""
        left = _this(case, name, object) & (intents.c.undone_at == "")
        with self._db.begin() as db:
            return db.execute(sa.update(intents).where(left).values(undone_at=stamp(at))).rowcount == 1


def _this(case: str, name: str, thing: str) -> sa.ColumnElement[bool]:
    return (intents.c.case_id == case) & (intents.c.name == name) & (intents.c.object == thing)


def _row(intent: Intent) -> dict[str, Any]:
    same = {name: value for name, value in intent if name not in ("case", "at", "undone_at")}
    return {**same, "case_id": intent.case, "at": stamp(intent.at), "undone_at": stamp(intent.undone_at)}


def _intent(row: sa.RowMapping) -> Intent:
    same = {name: value for name, value in row.items() if name not in ("case_id", "number", "version")}
    times = {name: moment(row[name]) for name in ("at", "undone_at")}
    return Intent.from_row(**{**same, **times, "case": row["case_id"]})
