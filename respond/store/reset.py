"""Forgetting the cases of the lab. Cases of a real tenant in the same database are not touched."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from respond.durable import forget
from respond.store.database import cases, facts, keys, open_database, reports, tickets

LAB_REALMS = ("lab/live", "lab/dry-run")


def forget_lab(url: str, folder: Path) -> int:
    """Delete lab cases with their reports, tickets, ticket pages and unfinished runs; how many cases there were."""
    database = open_database(url)
    for realm in LAB_REALMS:
        forget(database, realm)
    ours = sa.select(cases.c.id).where(cases.c.tenant == "lab")
    with database.begin() as db:
        for table in (facts, keys, reports, tickets):
            db.execute(sa.delete(table).where(table.c.case_id.in_(ours)))
        count = db.execute(sa.delete(cases).where(cases.c.tenant == "lab")).rowcount
    database.dispose()
    for page in (folder / "tickets").glob("LAB-*.md"):
        page.unlink()
    return count
