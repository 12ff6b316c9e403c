"""Which device code sign-ins, and who redeemed them? Both legs, from both sign-in tables.

The approving leg is in SigninLogs, the redeeming leg and its refreshes in AADNonInteractiveUserSignInLogs. Judging
the first alone means judging the victim's own laptop. A table that is not connected is a gap; without either,
there is nothing to say and the run fails. A session that is only refreshed in the window is followed back to its
approval, as far as the history of the policy goes.
"""

from __future__ import annotations

import asyncio

from respond.clients.kql import Value
from respond.clients.rows import read_sign_in
from respond.clients.sources import query_text
from respond.errors import TableMissing, Transient
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.flows import fold, join_flows
from respond.models.signin import SignIn, SignIns
from respond.step import clients, read_action

APPROVALS = "SigninLogs"
REDEMPTIONS = "AADNonInteractiveUserSignInLogs"


@read_action("Log Analytics Reader")
async def hunt_device_code_signins(case: Case, *, account: Account) -> SignIns:
    """Every row that carries a device code marker, with the rows that belong to it.

    Raises:
        TableMissing: the workspace has neither sign-in table.
        Transient: only part of the rows came back, also after retries.
    """
    window: dict[str, Value] = {"user_id": account.id, **case.span}
    rows, gaps = await _both_legs(case, window)
    if not gaps:
        rows += await _earlier_approvals(case, account, rows)
    return SignIns(flows=join_flows(fold(rows)), gaps=tuple(gaps))


async def _both_legs(case: Case, window: dict[str, Value]) -> tuple[list[SignIn], list[Gap]]:
    approvals, redemptions = await asyncio.gather(
        _leg(case, "hunt_approvals", APPROVALS, window),
        _leg(case, "hunt_redemptions", REDEMPTIONS, window),
        return_exceptions=True,
    )
    if isinstance(approvals, TableMissing) and isinstance(redemptions, TableMissing):
        # The query on the second table names the first one too; alone it may still be there.
        try:
            redemptions = await _leg(case, "hunt_redemptions_alone", REDEMPTIONS, window)
        except TableMissing as error:
            raise TableMissing(
                f"the workspace has neither {APPROVALS} nor {REDEMPTIONS}: connect the sign-in logs of Entra ID to it"
            ) from error
    rows: list[SignIn] = []
    gaps: list[Gap] = []
    for table, answer in ((APPROVALS, approvals), (REDEMPTIONS, redemptions)):
        if isinstance(answer, TableMissing):
            gaps.append(Gap(source=table, reason=answer.message))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            rows += answer
    return rows, gaps


async def _earlier_approvals(case: Case, account: Account, rows: list[SignIn]) -> list[SignIn]:
    """Approvals before the window, of sessions that show only their redeeming leg within it."""
    flows = join_flows(fold(rows))
    orphans = [row for flow in flows if flow.redemptions and not flow.approvals for row in flow.redemptions]
    sessions = tuple(dict.fromkeys(row.session_id for row in orphans if row.session_id))
    if not sessions:
        return []
    earlier: dict[str, Value] = {
        "user_id": account.id,
        "sessions": sessions,
        "from": case.history_start,
        "to": case.window.start,
    }
    return await _leg(case, "hunt_earlier_approvals", APPROVALS, earlier)


async def _leg(case: Case, query: str, table: str, values: dict[str, Value]) -> list[SignIn]:
    try:
        rows = await clients(case).logs.query(query_text(query, **values), whole=True)
    except Transient as error:
        raise Transient(f"{table}: the hunt is not complete: {error.message}", retry_after=error.retry_after) from error
    return [read_sign_in(row, table) for row in rows]
