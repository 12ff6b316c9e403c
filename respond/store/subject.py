"""What the state database holds about one person, for a request of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from respond.models.people import Identity
from respond.store.database import metadata
from respond.store.purge import identify

if TYPE_CHECKING:
    from respond.store.cases import Store

_ENGINE = ("respond_processes", "respond_schema", "respond_audit", "respond_audit_head", "respond_audit_texts")


def data_of(store: Store, tenant: str, who: str) -> dict[str, Any]:
    """Everything about a person: rows of their cases whole, and of rows about others only where they are.

    Args:
        who: sign-in name or object id.
    """
    person = identify(store.database, tenant, who)
    with store.database.connect() as db:
        found = {table.name: _rows(db, table, person) for table in metadata.sorted_tables if table.name not in _ENGINE}
    theirs = {row["id"] for row in found["respond_cases"]}
    entries = [
        entry.model_dump(mode="json")
        for entry in store.audit.entries()
        if entry.case in theirs or person.is_in(f"{entry.actor} {entry.what} {entry.detail}")
    ]
    mentions = {
        name: [{"key": row["key"], "columns": row["columns"]} for row in rows if "columns" in row]
        for name, rows in found.items()
    }
    return {
        "tenant": tenant,
        "person": {"user_ids": sorted(person.user_ids), "names": sorted(person.names)},
        "data": {name: kept for name, rows in found.items() if (kept := [row for row in rows if "columns" not in row])},
        "mentioned_in": {name: rows for name, rows in mentions.items() if rows},
        "audit": entries,
    }


def _rows(db: sa.Connection, table: sa.Table, person: Identity) -> list[dict[str, Any]]:
    """Rows that are about the person as they are; of others that name them the key, and which columns do."""
    cases = metadata.tables["respond_cases"]
    mine = sa.select(cases.c.id).where(cases.c.user_id.in_(person.user_ids))
    found = []
    for row in db.execute(sa.select(table)).mappings():
        texts = {name: str(value) for name, value in row.items() if isinstance(value, str)}
        naming = [name for name, text in texts.items() if person.is_in(text)]
        owned = "user_id" in row and row["user_id"] in person.user_ids
        if not owned and "case_id" in row:
            owned = db.execute(mine.where(cases.c.id == row["case_id"])).first() is not None
        if owned:
            found.append(dict(row))
        elif naming:
            found.append({"key": {key.name: row[key.name] for key in table.primary_key}, "columns": naming})
    return found
