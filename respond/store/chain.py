"""Is the audit log as it was written? And if not, which entry is the first that is not, and what was done to it?"""

from __future__ import annotations

import json

import sqlalchemy as sa

from respond.models.audit import START, Flaw, Problem, Verified, canonical, digest_of
from respond.store.database import audit, audit_head

_AT_ONCE = 1000


def check(db: sa.Connection, head: str) -> Verified:
    """Follow the chain from its first entry to the first that is wrong.

    Args:
        db: a transaction that sees one moment.
        head: digest that one of the entries must have, in lower case, or empty.
    """
    end = db.execute(sa.select(audit_head)).mappings().first()
    query = sa.select(audit).order_by(audit.c.number).execution_options(yield_per=_AT_ONCE)
    count, last, is_held = 0, START, head in ("", START)
    with db.execute(query) as rows:
        for row in rows.mappings():
            if problem := _wrong(db, row, number=count + 1, before=last):
                return _until(db, problem)
            count, last = count + 1, row["digest"]
            is_held = is_held or last == head
    if problem := _wrong_end(end, count, last):
        return _until(db, problem)
    return Verified(count=count, head=last, problem=None if is_held else Problem(number=count, flaw=Flaw.REWRITTEN))


def _until(db: sa.Connection, problem: Problem) -> Verified:
    """What stands before the first bad entry."""
    query = sa.select(audit.c.digest).where(audit.c.number == problem.number - 1)
    digest = db.execute(query).scalar_one_or_none()
    return Verified(count=max(0, problem.number - 1), head=digest or START, problem=problem)


def _wrong(db: sa.Connection, row: sa.RowMapping, *, number: int, before: str) -> Problem | None:
    """What is wrong with the entry that should have this number and follow that digest."""
    if row["number"] > number:
        return Problem(number=number, flaw=Flaw.DELETED)
    if row["number"] < number:
        return Problem(number=row["number"], flaw=Flaw.ADDED)
    if not _is_itself(row, number):
        return Problem(number=number, flaw=_why_not_itself(db, row))
    if row["before"] == before:
        return None
    # Somebody edited this entry or the one before, and gave it a new digest. What follows still has the old one.
    is_vouched_for = number > 1 and row["digest"] == _digest_that_follows(db, number)
    return Problem(number=number - 1 if is_vouched_for else number, flaw=Flaw.EDITED)


def _wrong_end(end: sa.RowMapping | None, count: int, last: str) -> Problem | None:
    if end is None:
        return Problem(number=count + 1, flaw=Flaw.NO_END) if count else None
    if end["number"] > count:
        return Problem(number=count + 1, flaw=Flaw.CUT)
    if end["number"] < count:
        return Problem(number=end["number"] + 1, flaw=Flaw.ADDED)
    return None if end["digest"] == last else Problem(number=count, flaw=Flaw.EDITED)


def _is_itself(row: sa.RowMapping, number: int) -> bool:
    """Whether the row has the digest of its content, were this its number."""
    values = {name: value for name, value in row.items() if name not in ("case_id", "detail", "number", "digest")}
    try:
        detail = json.loads(row["detail"])
        if canonical(detail) != row["detail"]:
            return False
        return bool(row["digest"] == digest_of({**values, "case": row["case_id"], "detail": detail, "number": number}))
    except (TypeError, ValueError):  # not JSON, or bytes and other things that were never written
        return False


def _why_not_itself(db: sa.Connection, row: sa.RowMapping) -> Flaw:
    """Moved from another place, after a deletion that was covered up by new numbers, or edited."""
    most = db.execute(sa.select(sa.func.max(audit.c.number))).scalar_one() + 1
    home = next((number for number in range(1, most + 1) if _is_itself(row, number)), None)
    if home is None:
        return Flaw.EDITED
    follows = sa.select(audit.c.number).where(audit.c.digest == row["before"]).limit(1)
    return Flaw.REORDERED if home == 1 or db.execute(follows).first() else Flaw.DELETED


def _digest_that_follows(db: sa.Connection, number: int) -> str | None:
    """The digest of an entry as the next one remembers it, or the record of the end."""
    after = sa.select(audit.c.before).where(audit.c.number == number + 1)
    last = sa.select(audit_head.c.digest).where(audit_head.c.number == number)
    return db.execute(after.union_all(last)).scalars().first()
