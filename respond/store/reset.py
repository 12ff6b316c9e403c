"""Forgetting the cases of the lab. The audit log, and cases of a real tenant in the same database, are not touched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from respond.durable import forget
from respond.store.brakes import Brakes
from respond.store.database import (
    approvals,
    asks,
    cases,
    deliveries,
    facts,
    intents,
    keys,
    later,
    links,
    open_database,
    owed,
    releases,
    reports,
    rounds,
    sightings,
    slots,
    tickets,
    turns,
    watches,
)

LAB_REALMS = ("lab/live", "lab/dry-run")


def forget_lab(url: str, folder: Path) -> int:
    """Delete lab cases with all that belongs to them, deliveries and unfinished runs; how many cases there were."""
    database = open_database(url)
    for realm in LAB_REALMS:
        forget(database, realm)
    # Not merely deleted: the audit log would go on saying that the lab is frozen.
    Brakes(database).thaw("lab", "respond", datetime.now(UTC))
    ours = sa.select(cases.c.id).where(cases.c.tenant == "lab")
    with database.begin() as db:
        for table in (facts, keys, reports, sightings, tickets):
            db.execute(sa.delete(table).where(table.c.case_id.in_(ours)))
        for table in (
            approvals,
            asks,
            deliveries,
            intents,
            later,
            links,
            owed,
            releases,
            rounds,
            slots,
            turns,
            watches,
        ):
            db.execute(sa.delete(table).where(table.c.tenant == "lab"))
        count = db.execute(sa.delete(cases).where(cases.c.tenant == "lab")).rowcount
    database.dispose()
    for page in folder.glob("LAB-*.md"):
        page.unlink()
    return count
