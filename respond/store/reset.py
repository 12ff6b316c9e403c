"""Forgetting the cases of the lab. Cases of a real tenant in the same database are not touched."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from respond.durable import forget
from respond.store.database import (
    asks,
    cases,
    deliveries,
    facts,
    keys,
    open_database,
    releases,
    reports,
    rounds,
    sightings,
    tickets,
    turns,
)

LAB_REALMS = ("lab/live", "lab/dry-run")


def forget_lab(url: str, folder: Path) -> int:
    """Delete lab cases with all that belongs to them, deliveries and unfinished runs; how many cases there were."""
    database = open_database(url)
    for realm in LAB_REALMS:
        forget(database, realm)
    ours = sa.select(cases.c.id).where(cases.c.tenant == "lab")
    with database.begin() as db:
        for table in (facts, keys, reports, sightings, tickets):
            db.execute(sa.delete(table).where(table.c.case_id.in_(ours)))
        for table in (asks, deliveries, releases, rounds, turns):
            db.execute(sa.delete(table).where(table.c.tenant == "lab"))
        count = db.execute(sa.delete(cases).where(cases.c.tenant == "lab")).rowcount
    database.dispose()
    for page in (folder / "tickets").glob("LAB-*.md"):
        page.unlink()
    return count
