"""The audit log in the database: entries are added, never changed.

What `Audit.verify` finds: an entry that was edited, deleted, moved or added, and an end that was cut off, because the
number and digest of the last entry are kept in a table of their own and written in the same transaction.

What it cannot find by itself: somebody who may write to the database and recomputes every digest from his change on,
or takes entries off the end and sets that table accordingly. For that, keep the head that it prints elsewhere from time
to time, and give it back as `head`: no later change of what came before has the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue, ValidationError

from respond.errors import Permanent
from respond.models.audit import START, AuditKind, Entry, Note, Verified, canonical, digest_of
from respond.store.chain import check
from respond.store.database import audit, audit_head, reading, wait_for, writing

_AT_ONCE = 1000


class Audit:
    """The log of one database, over all its tenants."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def append(
        self,
        *,
        tenant: str,
        case: str,
        run: str,
        actor: str,
        kind: AuditKind,
        what: str,
        detail: dict[str, JsonValue],
        at: datetime,
    ) -> Entry:
        """Add one entry at the end; see `Note` for the arguments.

        Raises:
            ValueError: the detail holds NaN or infinity.
        """
        note = Note(tenant=tenant, case=case, run=run, actor=actor, kind=kind, what=what, detail=detail, at=at)
        with writing(self._db, "audit") as db:
            return write_down(db, note)

    def entries(self, tenant: str | None = None, case: str | None = None) -> Iterator[Entry]:
        """Entries in order, read as they are asked for.

        Raises:
            Permanent: somebody has made an entry unreadable.
        """
        query = sa.select(audit).order_by(audit.c.number).execution_options(yield_per=_AT_ONCE)
        if tenant is not None:
            query = query.where(audit.c.tenant == tenant)
        if case is not None:
            query = query.where(audit.c.case_id == case)
        with reading(self._db) as db, db.execute(query) as found:
            for row in found.mappings():
                yield _entry(row)

    def verify(self, *, head: str = "") -> Verified:
        """Check the whole log.

        Args:
            head: digest of an entry that was kept elsewhere, hexadecimal; the log must still hold it.
        """
        with reading(self._db) as db:
            return check(db, head.lower())


def write_down(db: sa.Connection, note: Note) -> Entry:
    """Add an entry within a transaction of `writing`, so that what it tells of and the entry are kept together.

    Others that add one wait from here to the end of the transaction: call it last.
    """
    wait_for(db, "audit")
    last = db.execute(sa.select(audit_head)).mappings().first()
    number, before = (int(last["number"]) + 1, str(last["digest"])) if last else (1, START)
    values = json.loads(canonical({**note.model_dump(mode="json"), "number": number, "before": before}))
    entry = Entry(**values, digest=digest_of(values))
    row = {name: value for name, value in values.items() if name not in ("case", "detail")}
    row |= {"case_id": entry.case, "detail": canonical(entry.detail), "digest": entry.digest}
    db.execute(sa.insert(audit).values(row))
    end = sa.update(audit_head) if last else sa.insert(audit_head)
    db.execute(end.values(number=number, digest=entry.digest))
    return entry


def _entry(row: sa.RowMapping) -> Entry:
    values = {name: value for name, value in row.items() if name not in ("case_id", "detail")}
    try:
        return Entry(**values, case=row["case_id"], detail=json.loads(str(row["detail"])))
    except (ValidationError, ValueError) as error:
        raise Permanent(
            f"entry {row['number']} of the audit log is unreadable; `respond audit verify` names the first bad one"
        ) from error
