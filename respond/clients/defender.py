"""Defender XDR advanced hunting as a source of log rows, asked as a workspace is.

POST /security/runHuntingQuery
https://learn.microsoft.com/graph/api/security-security-runhuntingquery

Limits: 30 days, 100,000 rows, three minutes, 45 calls a minute, and processor time in each quarter of an hour. An
answer that reaches the row limit counts as cut off: the service does not say.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from respond.clients.dialect import read_answer
from respond.clients.log_answer import Rows
from respond.clients.logs import Absent
from respond.errors import Service, Transient

if TYPE_CHECKING:
    from respond.clients.graph import Graph

REACH = timedelta(days=30)
"""How far back advanced hunting has anything."""

ROW_LIMIT = 100_000


class Defender:
    """Queries on the tables of advanced hunting.

    Args:
        absent_for: how long a table or column that was missing is not asked for again.
    """

    def __init__(self, graph: Graph, *, absent_for: timedelta = timedelta(0)) -> None:
        self._graph = graph
        self.absent = Absent(absent_for)

    async def query(self, text: str, *, whole: bool = False) -> Rows:
        """Run one query.

        Args:
            whole: a partial answer is a failure that is worth another try, unless it is as large as one may be.

        Raises:
            TableMissing: a table or column is not there: not licensed, not onboarded, or on another schema.
            BadQuery: the service does not take the text.
            Forbidden, Unauthenticated, Transient: as named; a quota that is used up is Transient and says which.
        """

        async def once() -> Rows:
            rows = _rows(await self._graph.hunt(text, timespan=f"P{REACH.days}D"))
            if whole and rows.partial and not rows.full:
                cut = f"advanced hunting sent only part of the rows: {rows.partial}"
                raise Transient(cut, service=Service.GRAPH)
            return rows

        return await self._graph.retried(once)


def _rows(answer: bytes) -> Rows:
    try:
        # Not through the SDK's models: they turn text that looks like a date or a GUID into something else.
        found, reason = read_answer(json.loads(answer or b"null"))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        unread = f"the answer of advanced hunting cannot be read ({type(error).__name__})"
        raise Transient(unread, service=Service.GRAPH) from error
    rows = Rows(found)
    rows.columns = tuple(found[0]) if found else ()
    rows.full = len(found) >= ROW_LIMIT
    rows.partial = reason or (f"it ends at {ROW_LIMIT:,} rows" if rows.full else "")
    return rows
