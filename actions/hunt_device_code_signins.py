"""Which device code sign-ins, and who redeemed them? Both legs, from both sign-in tables.

The approving leg is in SigninLogs, the redeeming leg and its refreshes in AADNonInteractiveUserSignInLogs. Judging
the first alone means judging the victim's own laptop. A table that is not connected is a gap; without either,
there is nothing to say and the run fails.
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
    answers = await asyncio.gather(
        _leg(case, account, "hunt_approvals", APPROVALS),
        _leg(case, account, "hunt_redemptions", REDEMPTIONS),
        return_exceptions=True,
    )
    approvals, redemptions = answers
    if isinstance(approvals, TableMissing) and isinstance(redemptions, TableMissing):
        # The query on the second table names the first one too; alone it may still be there.
        try:
            redemptions = await _leg(case, account, "hunt_redemptions_alone", REDEMPTIONS)
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
    return SignIns(flows=join_flows(fold(rows)), gaps=tuple(gaps))


async def _leg(case: Case, account: Account, query: str, table: str) -> list[SignIn]:
    window: dict[str, Value] = {"user_id": account.id, "from": case.window.start, "to": case.window.end}
    try:
        rows = await clients(case).logs.query(query_text(query, **window), whole=True)
    except Transient as error:
        raise Transient(f"{table}: the hunt is not complete: {error.message}", retry_after=error.retry_after) from error
    return [read_sign_in(row, table) for row in rows]
