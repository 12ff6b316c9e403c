"""What was added to stay? Devices, authentication methods, consents, applications, roles, policies, rules, forwarding.

Read only: what is found raises the verdict, and says which of the things that the user has now are the attacker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from respond.clients.footholds import linked, read_change, read_revocation, read_rule
from respond.clients.rows import Row, text
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Footholds
from respond.step import inquiry, read_action

_AUDIT, _OFFICE = "AuditLogs", "OfficeActivity"
_HIDES = {
    _AUDIT: "devices, methods, consents, applications and roles that were added could not be looked for in it",
    _OFFICE: "inbox rules and forwarding that were added could not be looked for in it",
}


@read_action("Log Analytics Reader")
async def find_footholds(case: Case, *, people: Sequence[Account]) -> dict[str, Footholds]:
    """Changes made by each user, or in the user's name, within the window; by user id in lower case."""
    asking = inquiry(case, "find_footholds")
    upns = tuple(name for who in people for name in who.upns)
    changes, rules = await asyncio.gather(
        asking.ask("find_footholds", source=_AUDIT, user_ids=tuple(who.id for who in people), **case.aftermath),
        asking.ask("find_mail_rules", source=_OFFICE, upns=upns, **case.aftermath),
    )
    gaps = tuple(map(_explained, asking.gaps))
    # Every tenant has an audit log, and what is not collected from it may hold anything; not everyone has mailboxes.
    unread = bool(changes.partial or rules.partial) or any(_table(gap) == _AUDIT for gap in gaps)
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
            revocations=tuple(
                sorted(
                    (found for row in changes if _is_about(who, row) and (found := read_revocation(row))),
                    key=lambda source: source.at,
                )
            ),
            unread=unread,
            gaps=gaps,
        )
        for who in people
    }


def _table(gap: Gap) -> str:
    return gap.source.partition(".")[0].partition(" ")[0]


def _explained(gap: Gap) -> Gap:
    """The gap, and what it hides."""
    hides = _HIDES.get(_table(gap))
    return gap.model_copy(update={"reason": f"{gap.reason}; {hides}"}) if hides else gap


def _made_by(who: Account, row: Row) -> bool:
    actor, user = text(row, "Actor").lower(), who.id.lower()
    return actor == user or (not actor and user in text(row, "Targets").lower())


def _is_about(who: Account, row: Row) -> bool:
    return who.id.lower() in text(row, "Targets").lower()


def _mailbox_of(who: Account, row: Row) -> bool:
    names = {name.lower() for name in who.upns}
    return text(row, "UserId").lower() in names or text(row, "MailboxOwnerUPN").lower() in names
