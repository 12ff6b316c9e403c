"""Which methods, consents and inbox rules does the user have now? Some may have been added to stay.

    GET /users/{id}/authentication/methods
    GET /users/{id}/oauth2PermissionGrants
    GET /users/{id}/mailFolders/inbox/messageRules
    https://learn.microsoft.com/graph/api/authentication-list-methods

Read only. Graph does not list hidden rules, nor forwarding of the whole mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from respond.clients.lanes import within
from respond.errors import Forbidden, NoMailbox, RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.holdings import CONSENTS, METHODS, RULES, Access
from respond.models.ladder import May, Rung
from respond.step import clients, limit_of, naming, read_action

T = TypeVar("T")


@read_action("UserAuthenticationMethod.Read.All", "Directory.Read.All", "MailboxSettings.Read")
async def find_access(case: Case, *, account: Account, after: float = 0.0) -> Access:
    """What the policy may have removed. What cannot be read, or found, is a gap. What it never removes is not read.

    Args:
        after: seconds to wait first: what was added a moment ago may not be listed yet.
    """
    await asyncio.sleep(after)
    graph, ladder = clients(case).graph.holdings, case.policy.ladder
    limit = limit_of("find_access").total_seconds()
    gaps: list[Gap] = []

    async def look(
        rung: Rung, source: str, permission: str, question: Callable[[str], Awaitable[list[T]]]
    ) -> tuple[T, ...]:
        if {ladder.malicious.of(rung), ladder.suspicious.of(rung)} == {May.NEVER}:
            return ()
        try:
            async with within(limit):
                return tuple(await question(account.id))
        except NoMailbox:
            return ()  # none in Exchange Online, so no rule either; one that the logs name is missed all the same
        except (RespondError, TimeoutError) as error:
            told = naming(error, (permission,)) if isinstance(error, Forbidden) else error
            gaps.append(Gap(source=source, reason=str(told) or f"no answer within {limit:.0f} s", passes=passes(error)))
            return ()

    methods, grants, rules = await asyncio.gather(
        look(Rung.REMOVE_METHOD, METHODS, "UserAuthenticationMethod.Read.All", graph.methods),
        look(Rung.REMOVE_GRANT, CONSENTS, "Directory.Read.All", graph.grants),
        look(Rung.DISABLE_RULE, RULES, "MailboxSettings.Read", graph.rules),
    )
    return Access(methods=methods, grants=grants, rules=rules, gaps=tuple(gaps))
