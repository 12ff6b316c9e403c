"""Forgetting the cases of the lab. Cases of a real tenant in the same database are not touched."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from respond.store.database import cases, keys, open_database, reports, tickets


def forget_lab(url: str, folder: Path) -> int:
    """Delete lab cases with their reports and tickets, and the ticket pages; how many cases there were."""
    database = open_database(url)
    ours = sa.select(cases.c.id).where(cases.c.tenant == "lab")
    with database.begin() as db:
        for table in (keys, reports, tickets):
            db.execute(sa.delete(table).where(table.c.case_id.in_(ours)))
        count = db.execute(sa.delete(cases).where(cases.c.tenant == "lab")).rowcount
    database.dispose()
    for page in (folder / "tickets").glob("LAB-*.md"):
        page.unlink()
    return count
