"""The audit log in the database: entries are added, never changed.

What `Audit.verify` finds: an entry that was edited, deleted, moved or added, and an end that was cut off, because the
number and digest of the last entry are kept in a table of their own and written in the same transaction.

What it cannot find by itself: somebody who may write to the database and recomputes every digest from his change on,
or takes entries off the end and sets that table accordingly. For that, keep the head that it prints elsewhere from time
to time, and give it back as `head`: no later change of what came before has the same one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue, ValidationError

from respond.errors import Permanent
from respond.models.audit import START, AuditKind, Entry, Note, Verified, canonical, digest_of, seal_of
from respond.models.base import tolerant
from respond.store.chain import PURGED_TEXT, check, is_itself, joined, sealed_detail
from respond.store.database import audit, audit_head, audit_texts, reading, wait_for, writing

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
        query = joined().order_by(audit.c.number).execution_options(yield_per=_AT_ONCE)
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


def write_down(db: sa.Connection, note: Note, *, public: dict[str, JsonValue] | None = None) -> Entry:
    """Add an entry within a transaction of `writing`, so that what it tells of and the entry are kept together.

    Others that add one wait from here to the end of the transaction: call it last.

    Args:
        public: what the chained record says beside the seal; it names nobody, because it cannot be deleted.
    """
    wait_for(db, "audit")
    last = db.execute(sa.select(audit_head)).mappings().first()
    number, before = (int(last["number"]) + 1, str(last["digest"])) if last else (1, START)
    values = json.loads(canonical({**note.model_dump(mode="json"), "number": number, "before": before}))
    text = {name: values[name] for name in ("actor", "what", "detail")}
    salt = secrets.token_hex(16)
    sealed = {**(public or {}), "seal": seal_of(**text, salt=salt)}
    entry = Entry(**values, digest="", salt=salt, sealed=sealed)
    entry = entry.model_copy(update={"digest": digest_of(entry.chained)})
    row = {name: value for name, value in entry.chained.items() if name not in ("case", "detail")}
    row |= {"case_id": entry.case, "detail": canonical(sealed)}
    db.execute(sa.insert(audit).values(row))
    db.execute(sa.delete(audit_texts).where(audit_texts.c.number >= number))  # of entries that somebody took away
    db.execute(sa.insert(audit_texts).values(number=number, salt=salt, **{**text, "detail": canonical(text["detail"])}))
    end = sa.update(audit_head) if last else sa.insert(audit_head)
    db.execute(end.values(number=number, digest=entry.digest))
    return entry


def _entry(row: sa.RowMapping) -> Entry:
    chained = {column.name: row[column.name] for column in audit.c if column.name not in ("case_id", "detail")}
    try:
        sealed = sealed_detail(row)
        text = {"actor": row["text_actor"], "what": row["text_what"], "salt": row["salt"]}
        if sealed is None:
            text = {"actor": row["actor"], "what": row["what"], "purged": (row["actor"], row["what"]) == ("", "")}
        elif row["salt"] is None:
            text = {"actor": "", "what": "", "purged": True}
        detail = json.loads(str(row["detail"] if sealed is None else row["text_detail"] or "{}"))
        if text.get("purged"):
            text["what"] = PURGED_TEXT
        try:
            return Entry(**{**chained, **text}, case=row["case_id"], detail=detail, sealed=sealed)
        except ValidationError:
            if not is_itself(row, row["number"]):
                raise
            with tolerant():  # of a kind that a newer version writes
                return Entry(**{**chained, **text}, case=row["case_id"], detail=detail, sealed=sealed)
    except (ValidationError, ValueError) as error:
        raise Permanent(
            f"entry {row['number']} of the audit log is unreadable; `respond audit verify` names the first bad one"
        ) from error
