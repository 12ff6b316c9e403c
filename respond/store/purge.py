"""Deleting cases and people from the state database, so that the audit log can still be verified.

A case is deleted with everything about it: reports, ticket, questions, sign-in keys, the engine's records of its
runs, and the text of its entries in the audit log. The chained records stay, and an entry says which texts were
deleted. Where other cases name a person who is purged, a random token replaces the name.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from respond.errors import Permanent
from respond.models.audit import AuditKind, Note
from respond.models.base import iso_z, stamp
from respond.models.owed import OwedKind
from respond.models.people import Identity
from respond.models.report import Report
from respond.observe.setbacks import SETBACKS
from respond.store import engine_records
from respond.store.audit import write_down
from respond.store.database import (
    approvals,
    asks,
    audit,
    audit_texts,
    cases,
    deliveries,
    facts,
    intents,
    keys,
    later,
    links,
    metadata,
    owed,
    releases,
    reports,
    sightings,
    slots,
    tickets,
    turns,
    watches,
    writing,
)

_OF_CASES = (approvals, asks, facts, intents, keys, later, links, owed, reports, sightings, slots, tickets, watches)
_OF_USERS = (asks, releases, slots, turns)
_APART = ("respond_audit", "respond_audit_head", "respond_audit_texts")
_AT_ONCE = 200

Value = TypeVar("Value")
_PAGES_AT_ONCE = 1000
_FINISHED = ("answered", "repeated", "given-up")
_ACCOUNT = frozenset({"id", "upn", "display_name"})
"""What an account has, wherever a run recorded one."""


@dataclass(frozen=True)
class Purged:
    """What a purge deleted, or would delete.

    Attributes:
        cases: ids.
        tickets: numbers of local tickets, whose pages are files.
        outside: what stays in other systems: `SYSTEM NAME URL`.
        entries: of the audit log whose text was deleted.
        mentions: rows about others in which a name was replaced.
        runs: whose records were deleted.
    """

    cases: tuple[str, ...] = ()
    tickets: tuple[int, ...] = ()
    outside: tuple[str, ...] = ()
    entries: int = 0
    mentions: int = 0
    runs: int = 0


def identify(database: sa.Engine, tenant: str, who: str) -> Identity:
    """Everything that the database calls a person: by a sign-in name, an object id, or a display name.

    Args:
        who: sign-in name or object id.
    """
    ids, names = set(), {who}
    with database.connect() as db:
        for report in _reports(db, tenant):
            if who.lower() in (report.user.id.lower(), report.user.upn.lower()):
                ids.add(report.user.id)
                names |= {report.user.upn, report.user.display_name}
        ids |= set(
            db.execute(sa.select(cases.c.user_id).where(sa.func.lower(cases.c.user_id) == who.lower())).scalars()
        )
        for text in engine_records.texts(db):
            if who.lower() in text.lower():
                _learn(text, who.lower(), ids, names)
    return Identity(user_ids=frozenset(filter(None, ids)), names=frozenset(filter(None, names)))


def about(database: sa.Engine, tenant: str, who: Identity) -> tuple[list[str], int]:
    """A person's cases, and how many rows about others name them."""
    with database.connect() as db:
        mine = _cases_of(db, tenant, who)
        tables = [table for table in metadata.sorted_tables if table.name not in _APART]
        count = 0
        for table in tables:
            for row in db.execute(sa.select(table)).mappings():
                if row.get("case_id") not in mine and row.get("id") not in mine:
                    count += any(isinstance(value, str) and who.is_in(value) for value in row.values())
    return mine, count


def old_cases(database: sa.Engine, tenant: str, before: datetime, *, most: int = 1_000_000) -> list[str]:
    """Cases without a report since a moment, that nothing waits for; oldest first."""
    newest = sa.select(sa.func.max(reports.c.at)).where(reports.c.case_id == cases.c.id).scalar_subquery()
    waits = (
        sa.exists().where(approvals.c.case_id == cases.c.id, approvals.c.answer == "waiting", approvals.c.due != "")
        | sa.exists().where(later.c.case_id == cases.c.id)
        | sa.exists().where(owed.c.case_id == cases.c.id)
        | sa.exists().where(watches.c.case_id == cases.c.id, watches.c.done_at == "")
    )
    moment = iso_z(before)
    query = (
        sa.select(cases.c.id)
        .where(cases.c.tenant == tenant, cases.c.busy_run == "", cases.c.opened < moment)
        .where(sa.func.coalesce(newest, cases.c.opened) < moment, ~waits)
        .order_by(cases.c.opened)
        .limit(most)
    )
    with database.connect() as db:
        return list(db.execute(query).scalars())


def tickets_of(database: sa.Engine, which: Sequence[str]) -> list[int]:
    """Numbers of the local tickets of cases.

    Their pages are deleted before the cases are: should the process end in between, nothing would lead to a page that
    is left.
    """
    numbers: list[int] = []
    with database.connect() as db:
        for some in _parts(which):
            numbers += db.execute(sa.select(tickets.c.number).where(tickets.c.case_id.in_(some))).scalars()
    return numbers


def purge_cases(
    database: sa.Engine, tenant: str, which: Sequence[str], *, by: str, at: datetime, before: datetime | None = None
) -> Purged:
    """Delete cases with everything about them.

    Args:
        which: cases that nothing waits for.
        by: who asks for it; `respond` for the service.
        before: also the text of entries of the audit log from before this moment that are about no case.
    """
    with writing(database, "purge", tenant) as db:
        found = _delete(db, tenant, which)
        numbers = {
            number
            for some in _parts(which)
            for number in db.execute(sa.select(audit.c.number).where(audit.c.case_id.in_(some))).scalars()
        }
        if before is not None:
            old = (audit.c.tenant == tenant) & (audit.c.at < stamp(before))
            gone = audit.c.case_id.not_in(sa.select(cases.c.id))
            held = sa.exists().where(audit_texts.c.number == audit.c.number) | (audit.c.what != "")
            numbers |= set(db.execute(sa.select(audit.c.number).where(old, gone, held)).scalars())
        count = _delete_texts(db, tenant, numbers, found, what="cases", by=by, at=at)
    return Purged(**{**vars(found), "entries": count})


def purge_person(database: sa.Engine, tenant: str, who: Identity, *, by: str, at: datetime) -> Purged:
    """Delete a person's cases, and replace what names them everywhere else.

    Raises:
        Permanent: a run about them has not ended, or one is still to come: it would answer for nobody.
    """
    with writing(database, "purge", tenant) as db:
        over, unfinished = engine_records.naming(db, who.is_in)
        mine = _cases_of(db, tenant, who)
        busy = set(db.execute(sa.select(cases.c.id).where(cases.c.id.in_(mine), cases.c.busy_run != "")).scalars())
        if unfinished or busy:
            raise Permanent("a run about this person has not ended; purge them when it has (respond cases)")
        if waits := _waits(db, tenant, who, mine):
            raise Permanent(f"{waits}; purge them when that is over (respond cases)")
        found = _delete(db, tenant, mine)
        for table in _OF_USERS:
            db.execute(
                sa.delete(table).where(table.c.tenant.in_((tenant, tenant.lower())), table.c.user_id.in_(who.user_ids))
            )
        engine_records.delete_runs(db, sorted(over))
        mentions = sum(_replace(db, table, who) for table in metadata.sorted_tables if table.name not in _APART)
        numbers = {row.number for row in _entries(db) if row.case_id in mine or any(map(who.is_in, row[2:]))}
        count = _delete_texts(db, tenant, numbers, found, what="a person", by=by, at=at)
    return Purged(**{**vars(found), "entries": count, "mentions": mentions, "runs": len(over)})


def delete_pages(folder: Path, numbers: Sequence[int]) -> list[Path]:
    """Delete the pages of local tickets; those that could not be, of a file system that refuses.

    Args:
        folder: where they are.
    """
    left = []
    for page in (folder / f"LAB-{number}.md" for number in numbers):
        try:
            page.unlink(missing_ok=True)
        except OSError:
            left.append(page)
    return left


def rewrite_pages(folder: Path, who: Identity) -> list[Path]:
    """Replace what names a person in the pages of other tickets; those that could not be read or written."""
    left = []
    for page in sorted(folder.glob("*.md")):
        try:
            text = page.read_text(encoding="utf-8", errors="surrogateescape")
            if who.is_in(text):
                told = who.replaced(text, f"purged-{secrets.token_hex(4)}")
                page.write_text(told, encoding="utf-8", errors="surrogateescape")
        except OSError:
            left.append(page)
    return left


def reclaim(database: sa.Engine) -> bool:
    """Overwrite what was deleted in a SQLite file; False when others use it, so that it could not be done.

    PostgreSQL overwrites it when it vacuums.
    """
    if database.dialect.name != "sqlite":
        return True
    try:
        with database.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql("PRAGMA busy_timeout=10000")
            db.exec_driver_sql("VACUUM")
            busy = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    except sa.exc.OperationalError:
        return False
    return not busy


def shrink(database: sa.Engine) -> None:
    """Give the free pages of a SQLite file back to the disk, some at a time; a file from before needs one `VACUUM`.

    PostgreSQL's autovacuum does its own.
    """
    if database.dialect.name != "sqlite":
        return
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        driver: Any = db.connection.dbapi_connection
        while free := int(db.exec_driver_sql("PRAGMA freelist_count").scalar_one()):
            # Each step of the statement frees a page, and SQLAlchemy takes one step.
            driver.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            if int(db.exec_driver_sql("PRAGMA freelist_count").scalar_one()) >= free:
                return


def _reports(db: sa.Connection, tenant: str) -> Iterator[Report]:
    query = sa.select(reports.c.body).join(cases, cases.c.id == reports.c.case_id).where(cases.c.tenant == tenant)
    with db.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        for some in rows.scalars().partitions():
            yield from SETBACKS.readable("report", some, Report.model_validate_json, lambda _: "of a case")


def _cases_of(db: sa.Connection, tenant: str, who: Identity) -> list[str]:
    theirs = cases.c.user_id.in_(who.user_ids) & (cases.c.tenant == tenant)
    return sorted(db.execute(sa.select(cases.c.id).where(theirs)).scalars())


def _learn(text: str, who: str, ids: set[str], names: set[str]) -> None:
    """Add what an account is called that a run recorded under a name, or an id.

    Args:
        text: JSON, or else nothing is learned.
        who: in lower case.
    """
    try:
        left = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while left:
        part = left.pop()
        left += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        if not (isinstance(part, dict) and part.keys() >= _ACCOUNT):
            continue
        called = {part["upn"], part.get("mail") or part["upn"]}
        if who in {str(one).lower() for one in (part["id"], *called)}:
            ids.add(str(part["id"]))
            names |= {str(one) for one in (*called, part["display_name"])}


def _waits(db: sa.Connection, tenant: str, who: Identity, mine: Sequence[str]) -> str:
    """What is still to be done about a person, in words; empty where nothing is."""
    open_ones = (deliveries.c.tenant == tenant) & deliveries.c.state.not_in(_FINISHED)
    theirs = sa.exists().where(
        asks.c.tenant == tenant, asks.c.delivery == deliveries.c.key, asks.c.open, asks.c.user_id.in_(who.user_ids)
    )
    for body, is_asked in db.execute(sa.select(deliveries.c.body, theirs).where(open_ones)):
        if is_asked or who.is_in(body):
            return "a delivery about this person has not been answered"
    if db.execute(sa.select(later.c.case_id).where(later.c.case_id.in_(mine))).first():
        return "a containment action about this person is tried again"
    undo = owed.c.case_id.in_(mine) & (owed.c.kind == OwedKind.UNDO.value)
    return "an undo about this person is tried again" if db.execute(sa.select(owed.c.key).where(undo)).first() else ""


def _delete(db: sa.Connection, tenant: str, which: Sequence[str]) -> Purged:
    numbers: list[int] = []
    outside: list[str] = []
    runs: set[str] = set()
    for start in range(0, len(which), _AT_ONCE):
        some = which[start : start + _AT_ONCE]
        numbers += db.execute(sa.select(tickets.c.number).where(tickets.c.case_id.in_(some))).scalars().all()
        named = sa.select(links).where(links.c.case_id.in_(some), links.c.name != "")
        outside += [f"{link['system']} {link['name']} {link['url']}".strip() for link in db.execute(named).mappings()]
        runs |= set(db.execute(sa.select(reports.c.run).where(reports.c.case_id.in_(some))).scalars())
        brought = set(db.execute(sa.select(asks.c.delivery).where(asks.c.case_id.in_(some))).scalars())
        people = set(db.execute(sa.select(cases.c.user_id).where(cases.c.id.in_(some))).scalars())
        for table in _OF_CASES:
            db.execute(sa.delete(table).where(table.c.case_id.in_(some)))
        db.execute(sa.delete(cases).where(cases.c.id.in_(some)))
        others = sa.select(cases.c.user_id).where(cases.c.tenant == tenant)
        for table in (releases, turns):
            free = table.c.user_id.in_(people) & table.c.user_id.not_in(others) & (table.c.tenant == tenant)
            db.execute(sa.delete(table).where(free, *([turns.c.owner == ""] if table is turns else [])))
        asked = sa.select(asks.c.delivery).where(asks.c.tenant == tenant)
        ended = deliveries.c.key.in_(brought) & deliveries.c.key.not_in(asked) & deliveries.c.state.in_(_FINISHED)
        db.execute(sa.delete(deliveries).where(deliveries.c.tenant == tenant, ended))
    engine_records.delete_runs(db, sorted(runs))
    return Purged(cases=tuple(which), tickets=tuple(numbers), outside=tuple(outside), runs=len(runs))


def _replace(db: sa.Connection, table: sa.Table, who: Identity) -> int:
    """Replace what names a person in every text of a table; in how many rows."""
    columns = [column for column in table.c if isinstance(column.type, sa.Text)]
    if not columns:
        return 0
    token = f"purged-{secrets.token_hex(4)}"
    changes = []
    with db.execute(sa.select(table).execution_options(yield_per=_AT_ONCE)) as rows:
        for row in rows.mappings():
            texts = {column.name: who.replaced(row[column.name] or "", token) for column in columns}
            changed = {name: text for name, text in texts.items() if text != (row[name] or "")}
            if changed:
                changes.append(([table.c[key.name] == row[key.name] for key in table.primary_key], changed))
    for same, changed in changes:
        db.execute(sa.update(table).where(*same).values(changed))
    return len(changes)


def _entries(db: sa.Connection) -> Iterator[sa.Row[tuple[object, ...]]]:
    """Number, case and texts of each entry."""
    both = audit.outerjoin(audit_texts, audit_texts.c.number == audit.c.number)
    columns = [table.c[name] for table in (audit, audit_texts) for name in ("actor", "what", "detail")]
    texts = [sa.func.coalesce(column, "") for column in columns]
    query = sa.select(audit.c.number, audit.c.case_id, audit.c.run, *texts).select_from(both)
    with db.execute(query.execution_options(yield_per=_AT_ONCE)) as rows:
        yield from rows


def _delete_texts(
    db: sa.Connection, tenant: str, numbers: set[int], found: Purged, *, what: str, by: str, at: datetime
) -> int:
    """Delete the text of entries, and say so in the log; of how many.

    Entries from before there were seals hold their text in the record: it is emptied, and the digest stays. Their run
    is emptied with it, because without that random id nobody can try out texts against the digest.
    """
    sealed: set[int] = set()
    plain: set[int] = set()
    for some in _parts(sorted(numbers)):
        sealed |= set(db.execute(sa.select(audit_texts.c.number).where(audit_texts.c.number.in_(some))).scalars())
        whole = audit.c.number.in_(some) & ((audit.c.what != "") | (audit.c.actor != ""))
        plain |= set(db.execute(sa.select(audit.c.number).where(whole)).scalars())
    if not sealed and not plain and not found.cases:
        return 0
    for some in _parts(sorted(sealed)):
        db.execute(sa.delete(audit_texts).where(audit_texts.c.number.in_(some)))
    for some in _parts(sorted(plain)):
        db.execute(sa.update(audit).where(audit.c.number.in_(some)).values(actor="", what="", detail="{}", run=""))
    count = len(found.cases)
    those = f"{count} case{'' if count == 1 else 's'}"
    told = f"purged {what}: {those}, the text of {len(sealed) + len(plain)} entries"
    note = Note(
        tenant=tenant,
        case="",
        run="",
        actor=by,
        at=at,
        kind=AuditKind.PURGE,
        what=told,
        detail={"cases": count},
    )
    write_down(db, note, public={"entries": [list(one) for one in _ranges(sealed | plain)]})
    return len(sealed) + len(plain)


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
