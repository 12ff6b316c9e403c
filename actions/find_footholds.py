"""What was added to stay? Devices, authentication methods, consents, applications, roles, policies, rules, forwarding.

Read only: what is found raises the verdict, and says which of the things that the user has now are the attacker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from respond.clients.footholds import linked, read_change, read_rule
from respond.clients.rows import Row, text
from respond.models.case import Case
from respond.models.evidence import Account, Footholds
from respond.step import inquiry, read_action


@read_action("Log Analytics Reader")
async def find_footholds(case: Case, *, people: Sequence[Account]) -> dict[str, Footholds]:
    """Changes made by each user, or in the user's name, within the window; by user id in lower case."""
    asking = inquiry(case, "find_footholds")
    upns = tuple(name for who in people for name in who.upns)
    changes, rules = await asyncio.gather(
        asking.ask("find_footholds", source="AuditLogs", user_ids=tuple(who.id for who in people), **case.aftermath),
        asking.ask("find_mail_rules", source="OfficeActivity", upns=upns, **case.aftermath),
    )
    return {
        who.id.lower(): Footholds(
            changes=tuple(
                sorted(
                    linked(
                        change
                        for change in (
                            *(read_change(row) for row in changes if _made_by(who, row)),
                            *(read_rule(row) for row in rules if _mailbox_of(who, row)),
                        )
                        if change
                    ),
                    key=lambda change: change.at,
                )
            ),
            unread=bool(changes.partial or rules.partial),
            gaps=asking.gaps,
        )
        for who in people
    }


def _made_by(who: Account, row: Row) -> bool:
    actor, user = text(row, "Actor").lower(), who.id.lower()
    return actor == user or (not actor and user in text(row, "Targets").lower())


def _mailbox_of(who: Account, row: Row) -> bool:
    names = {name.lower() for name in who.upns}
    return text(row, "UserId").lower() in names or text(row, "MailboxOwnerUPN").lower() in names
