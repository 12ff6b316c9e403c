"""Who is it, in the directory's eyes? Roles, also through groups, and what Identity Protection makes of the user now.

    GET /users/{id}/transitiveMemberOf
    GET /identityProtection/riskyUsers/{id}
    https://learn.microsoft.com/graph/api/user-list-transitivememberof
    https://learn.microsoft.com/graph/api/riskyuser-get

Identity Protection needs Entra ID P2; without it the risk is unknown, which is not none. That an account is a program's
is known to IdentityInfo in the workspace alone.
"""

from __future__ import annotations

import asyncio

from actions.find_standing import ask_workspace
from respond.clients.lanes import Lane, ahead, within
from respond.errors import RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import UNREAD_STANDING, Account, Standing
from respond.step import clients, limit_of, read_action


@read_action("User.Read.All", "IdentityRiskyUser.Read.All", "Log Analytics Reader")
async def know_standing(case: Case, *, account: Account) -> Standing:
    """The user's roles, groups and risk; what cannot be read is a gap."""
    graph = clients(case).graph
    gaps: list[Gap] = []
    limit = limit_of("know_standing").total_seconds()

    async def roles() -> Standing:
        try:
            # Whom the brakes protect by a role is known before anybody is contained.
            with ahead(Lane.FIRST):
                async with within(limit):
                    return await graph.membership(account.id)
        except (RespondError, TimeoutError) as error:
            gaps.append(
                Gap(
                    source=UNREAD_STANDING, reason=str(error) or f"no answer within {limit:.0f} s", passes=passes(error)
                )
            )
            return Standing()

    async def risk() -> Standing:
        try:
            async with within(limit):
                return await graph.risk(account.id)
        except (RespondError, TimeoutError) as error:
            gaps.append(
                Gap(source="riskyUsers", reason=str(error) or f"no answer within {limit:.0f} s", passes=passes(error))
            )
            return Standing()

    member, risky, known = await asyncio.gather(
        roles(), risk(), ask_workspace(case, (account,), action="know_standing")
    )
    workspace = known[account.id.lower()]
    return member.model_copy(
        update={
            "is_service": workspace.is_service,
            "risk": risky.risk,
            "risk_state": risky.risk_state,
            "risk_at": risky.risk_at,
            "gaps": (*gaps, *workspace.gaps),
        }
    )
