"""Who is it? The account as the directory describes it now.

    GET /users/{id | userPrincipalName}
    https://learn.microsoft.com/graph/api/user-get

A trigger that has found the user a moment ago hands over what it was told.

From here on the object id is used: a UPN can be renamed, reused, or written as a GUID in the logs.
"""

from __future__ import annotations

from respond.errors import NotFound, UsageError
from respond.models.case import Case
from respond.models.evidence import Account, AccountKind
from respond.step import clients, process, read_action


@read_action("User.Read.All", first=True)
async def know_user(case: Case) -> Account:
    """Look the user up by object id or UPN.

    Raises:
        UsageError: the directory has no such user.
    """
    account = case.account if case.account and case.account.is_fresh else await _looked_up(case)
    accounts, user = case.policy.accounts, account.id.lower()
    kinds = (
        (accounts.break_glass, AccountKind.BREAK_GLASS),
        (accounts.rooms, AccountKind.ROOM),
        (accounts.services, AccountKind.SERVICE),
    )
    listed = next((kind for ids, kind in kinds if user in ids), None)
    return account.model_copy(update={"kind": listed or account.kind})


async def _looked_up(case: Case) -> Account:
    try:
        account = await clients(case).graph.account(case.who)
    except NotFound as error:
        raise UsageError(
            f"{case.who}: no such user in this tenant; check the spelling, or give the object id of the sign-in row"
        ) from error
    return account.model_copy(update={"seen_by": process().name})
