"""How many sign-in rows do the window and the history before it hold? What a backtest looks through."""

from __future__ import annotations

from respond.models.case import Case
from respond.step import inquiry, read_action


@read_action("Log Analytics Reader")
async def count_sign_ins(case: Case) -> int:
    """Rows of both sign-in tables; 0 where they cannot be counted."""
    span = {"from": case.history_start, "to": case.window.end}
    rows = await inquiry(case, "count_sign_ins").ask("count_sign_ins", source="SigninLogs", **span)
    return int(rows[0]["Rows"] or 0) if rows else 0
