"""Links in the database: who sends what to a system outside, and what it has become there.

A link is written before the request leaves. Whoever finds one that nobody has finished looks before sending again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from respond.models.base import moment, stamp
from respond.models.links import Link, LinkState
from respond.models.tickets import Found
from respond.store.database import links


class Links:
    """One for each case and system."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def find(self, tenant: str, case: str, system: str) -> Link | None:
        query = sa.select(links).where(links.c.tenant == tenant, links.c.case_id == case, links.c.system == system)
        with self._db.connect() as db:
            row = db.execute(query).mappings().one_or_none()
        return _link(row) if row else None

    def begin(self, link: Link) -> bool:
        """Write down that it is being sent; False when it is known already, whoever knows it."""
        try:
            with self._db.begin() as db:
                db.execute(sa.insert(links).values(**_row(link)))
        except IntegrityError:
            return False
        return True

    def take(self, link: Link, *, run: str, at: datetime, number: int | None = None) -> Link | None:
        """Send it, or send it again, in place of whoever did; None when somebody else was quicker.

        Args:
            number: of the ticket, where a new one is created.
        """
        mine = link.model_copy(
            update={"state": LinkState.SENDING, "run": run, "at": at, "number": number or link.number}
        )
        return mine if self._replace(link, mine) else None

    def linked(self, link: Link, found: Found, *, digest: str, at: datetime) -> Link:
        """Keep what it is called, and what it says."""
        known = {"state": LinkState.LINKED, "handle": found.handle, "name": found.id, "url": found.url}
        done = link.model_copy(update={**known, "digest": digest, "at": at})
        self._replace(link, done)
        return done

    def drop(self, link: Link) -> None:
        """Forget it: nothing was created, and that is certain."""
        with self._db.begin() as db:
            db.execute(sa.delete(links).where(_same(link)))

    def _replace(self, link: Link, by: Link) -> bool:
        with self._db.begin() as db:
            return db.execute(sa.update(links).where(_same(link)).values(**_row(by))).rowcount == 1


def _same(link: Link) -> sa.ColumnElement[bool]:
    """The link as it was read: nobody has changed it since."""
    row = _row(link)
    return sa.and_(*(links.c[name] == row[name] for name in ("tenant", "case_id", "system", "state", "run", "at")))


def _row(link: Link) -> dict[str, Any]:
    same = {name: value for name, value in link if name not in ("case", "state", "at")}
    return {**same, "case_id": link.case, "state": link.state.value, "at": stamp(link.at)}


def _link(row: sa.RowMapping) -> Link:
    same = {name: value for name, value in row.items() if name != "case_id"}
    return Link.from_row(**{**same, "case": row["case_id"], "at": moment(row["at"])})
