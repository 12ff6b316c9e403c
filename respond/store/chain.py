"""Is the audit log as it was written? And if not, which entry is the first that is not, and what was done to it?"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from respond.models.audit import START, AuditKind, Flaw, Problem, Verified, canonical, digest_of, seal_of
from respond.store.database import audit, audit_head, audit_texts

_AT_ONCE = 1000

PURGED_TEXT = "purged"
"""Stands for the text of an entry that was deleted."""


def joined() -> sa.Select[Any]:
    """Every entry, with its text beside it where there is one: `salt`, `text_actor`, `text_what`, `text_detail`."""
    texts = [audit_texts.c[name].label(f"text_{name}") for name in ("actor", "what", "detail")]
    both = audit.outerjoin(audit_texts, audit_texts.c.number == audit.c.number)
    return sa.select(audit, audit_texts.c.salt, *texts).select_from(both)


def sealed_detail(row: sa.RowMapping) -> dict[str, Any] | None:
    """The detail of a sealed record; None where the record holds its text itself.

    Raises:
        ValueError: the detail is not JSON.
    """
    if row["actor"] or row["what"]:
        return None
    detail = json.loads(str(row["detail"]))
    return detail if isinstance(detail, dict) and isinstance(detail.get("seal"), str) else None


def check(db: sa.Connection, head: str) -> Verified:
    """Follow the chain from its first entry to the first that is wrong.

    Args:
        db: a transaction that sees one moment.
        head: digest that one of the entries must have, in lower case, or empty.
    """
    end = db.execute(sa.select(audit_head)).mappings().first()
    query = joined().order_by(audit.c.number).execution_options(yield_per=_AT_ONCE)
    count, last, is_held = 0, START, head in ("", START)
    purged = _purged(db)
    with db.execute(query) as rows:
        for row in rows.mappings():
            if problem := _wrong(db, row, purged, number=count + 1, before=last):
                return _until(db, problem)
            count, last = count + 1, row["digest"]
            is_held = is_held or last == head
    if problem := _wrong_end(end, count, last):
        return _until(db, problem)
    return Verified(count=count, head=last, problem=None if is_held else Problem(number=count, flaw=Flaw.REWRITTEN))


_APART = ("case_id", "detail", "number", "digest")


class _Ranges:
    """Numbers of entries whose text was deleted."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._ranges = ranges

    def has(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self._ranges)


def _purged(db: sa.Connection) -> _Ranges:
    """Which entries purges name. That these entries are as they were written, the chain shows."""
    found: list[tuple[int, int]] = []
    for row in db.execute(sa.select(audit).where(audit.c.kind == AuditKind.PURGE.value)).mappings():
        try:
            ranges = (sealed_detail(row) or {}).get("entries", [])
            found += [(int(first), min(int(last), row["number"] - 1)) for first, last in ranges]
        except (TypeError, ValueError):
            continue  # it was edited, which the chain shows
    return _Ranges(found)


def _is_blank(row: sa.RowMapping) -> bool:
    return (row["actor"], row["what"], row["detail"]) == ("", "", "{}")


def _wrong_text(row: sa.RowMapping, purged: _Ranges, number: int) -> Flaw | None:
    """What is wrong with the text of a sealed entry."""
    sealed = sealed_detail(row)
    if sealed is None:
        return None
    if row["salt"] is None:
        return None if purged.has(number) else Flaw.TEXT_DELETED
    try:
        detail = json.loads(row["text_detail"])
        same = canonical(detail) == row["text_detail"]
        seal = seal_of(row["text_actor"], row["text_what"], detail, row["salt"])
    except (TypeError, ValueError):
        return Flaw.EDITED
    return None if same and seal == sealed["seal"] else Flaw.EDITED


def _until(db: sa.Connection, problem: Problem) -> Verified:
    """What stands before the first bad entry."""
    query = sa.select(audit.c.digest).where(audit.c.number == problem.number - 1)
    digest = db.execute(query).scalar_one_or_none()
    return Verified(count=max(0, problem.number - 1), head=digest or START, problem=problem)


def _wrong(db: sa.Connection, row: sa.RowMapping, purged: _Ranges, *, number: int, before: str) -> Problem | None:
    """What is wrong with the entry that should have this number and follow that digest."""
    if row["number"] > number:
        return Problem(number=number, flaw=Flaw.DELETED)
    if row["number"] < number:
        return Problem(number=row["number"], flaw=Flaw.ADDED)
    if not is_itself(row, number) and not (_is_blank(row) and purged.has(number)):
        return Problem(number=number, flaw=_why_not_itself(db, row))
    if flaw := _wrong_text(row, purged, number):
        return Problem(number=number, flaw=flaw)
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


def is_itself(row: sa.RowMapping, number: int) -> bool:
    """Whether the row has the digest of its content, were this its number."""
    values = {column.name: row[column.name] for column in audit.c if column.name not in _APART}
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
    home = next((number for number in range(1, most + 1) if is_itself(row, number)), None)
    if home is None:
        return Flaw.EDITED
    follows = sa.select(audit.c.number).where(audit.c.digest == row["before"]).limit(1)
    return Flaw.REORDERED if home == 1 or db.execute(follows).first() else Flaw.DELETED


def _digest_that_follows(db: sa.Connection, number: int) -> str | None:
    """The digest of an entry as the next one remembers it, or the record of the end."""
    after = sa.select(audit.c.before).where(audit.c.number == number + 1)
    last = sa.select(audit_head.c.digest).where(audit_head.c.number == number)
    return db.execute(after.union_all(last)).scalars().first()
