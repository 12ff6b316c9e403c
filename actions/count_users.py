"""How many users has the tenant? A share of them is a limit on containing people.

    GET /users/$count
    https://learn.microsoft.com/graph/aad-advanced-queries

Read only. The number is kept for an hour.
"""

from __future__ import annotations

from respond.errors import RespondError
from respond.models.case import Case
from respond.step import clients, read_action


@read_action("User.Read.All", first=True)
async def count_users(case: Case) -> int | None:
    """The number of users, guests included; None when it cannot be read, and the share then limits nobody."""
    try:
        return await clients(case).graph.holdings.count_users()
    except RespondError:
        return None
