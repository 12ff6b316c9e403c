"""Whose device code sign-ins have arrived since the last look? The first question of the schedule.

By time of arrival, because a sign-in may reach the workspace an hour after it happened. Two queries, whatever the size
of the tenant; a table that is not connected is a gap.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import datetime

from respond.clients.rows import text
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intake import FreshUsers
from respond.step import inquiry, read_action


@read_action("Log Analytics Reader")
async def find_fresh_users(case: Case, *, arrived_from: datetime, arrived_to: datetime) -> FreshUsers:
    """Users with device code rows that arrived in the span, and the ids of these rows.

    Raises:
        Transient: neither table answered; nothing is known about the span.
    """
    questions = inquiry(case, "find_fresh_users")
    span = {"from": case.window.start, "arrived_from": arrived_from, "arrived_to": arrived_to}
    answers = await asyncio.gather(
        questions.ask("find_fresh_approvals", source="SigninLogs", **span),
        questions.ask("find_fresh_redemptions", source="AADNonInteractiveUserSignInLogs", **span),
    )
    ids: dict[str, set[str]] = defaultdict(set)
    upns: dict[str, str] = {}
    for row in (row for rows in answers for row in rows):
        user = text(row, "UserId").lower()
        ids[user] |= {f"i:{one}" for one in json.loads(text(row, "Ids") or "[]")}
        upns[user] = max(upns.get(user, ""), text(row, "UserPrincipalName"))
    people = tuple(Account(id=user, upn=upns[user], display_name="") for user in sorted(ids) if user)
    rows_of = {who.id: tuple(sorted(ids[who.id])) for who in people}
    return FreshUsers(people=people, rows=rows_of, gaps=questions.gaps, whole=not any(rows.partial for rows in answers))
