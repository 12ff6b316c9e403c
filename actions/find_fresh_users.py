"""Whose device code sign-ins have arrived since the last look? The first question of the schedule.

By time of arrival, because a sign-in may reach the workspace an hour after it happened. Two queries, whatever the size
of the tenant; a table that is not connected is a gap. Defender XDR is not asked: it marks no device codes, and "nothing
there" would read as no attack.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import datetime

from respond.clients.rows import text
from respond.errors import TableMissing
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intake import FreshUsers
from respond.step import inquiry, read_action

_TABLES = ("SigninLogs", "AADNonInteractiveUserSignInLogs")


@read_action("Log Analytics Reader")
async def find_fresh_users(case: Case, *, arrived_from: datetime, arrived_to: datetime) -> FreshUsers:
    """Users with device code rows that arrived in the span, and the ids of these rows.

    Raises:
        TableMissing: neither table is there, or they are set to Defender: nothing is known about any span.
    """
    questions = inquiry(case, "find_fresh_users")
    span = {"from": case.window.start, "arrived_from": arrived_from, "arrived_to": arrived_to}
    answers = await asyncio.gather(
        questions.ask("find_fresh_approvals", source=_TABLES[0], **span),
        questions.ask("find_fresh_redemptions", source=_TABLES[1], **span),
    )
    if len({gap.source for gap in questions.gaps} & {*_TABLES}) > 1 and not any(rows.partial for rows in answers):
        raise TableMissing(f"neither {' nor '.join(_TABLES)} can be read: connect the sign-in logs of Entra ID")
    ids: dict[str, set[str]] = defaultdict(set)
    upns: dict[str, str] = {}
    for row in (row for rows in answers for row in rows):
        user = text(row, "UserId").lower()
        ids[user] |= {f"i:{one}" for one in json.loads(text(row, "Ids") or "[]")}
        upns[user] = max(upns.get(user, ""), text(row, "UserPrincipalName"))
    people = tuple(Account(id=user, upn=upns[user], display_name="") for user in sorted(ids) if user)
    rows_of = {who.id: tuple(sorted(ids[who.id])) for who in people}
    return FreshUsers(people=people, rows=rows_of, gaps=questions.gaps, whole=not any(rows.partial for rows in answers))
