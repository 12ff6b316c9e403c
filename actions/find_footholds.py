"""What was added to stay? Devices, authentication methods, consents, inbox rules and forwarding since the sign-in.

Read only: what is found raises the verdict and goes into the ticket; removing it is not done here.
"""

from __future__ import annotations

import asyncio

from respond.clients.rows import Row, moment, text
from respond.clients.sources import ask
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Foothold, FootholdKind, Footholds
from respond.step import clients, read_action

_KINDS = {
    "Register device": FootholdKind.DEVICE,
    "Add device": FootholdKind.DEVICE,
    "Consent to application": FootholdKind.CONSENT,
    "Add delegated permission grant": FootholdKind.CONSENT,
    "Add app role assignment grant to user": FootholdKind.CONSENT,
    "Add service principal credentials": FootholdKind.CONSENT,
}


@read_action("Log Analytics Reader")
async def find_footholds(case: Case, *, account: Account) -> Footholds:
    """Changes that the user made, or that were made in the user's name, within the window."""
    gaps: list[Gap] = []
    logs = clients(case).logs
    changes, rules = await asyncio.gather(
        ask(logs, "find_footholds", source="AuditLogs", gaps=gaps, user_id=account.id, **case.span),
        ask(
            logs,
            "find_mail_rules",
            source="OfficeActivity",
            gaps=gaps,
            upns=tuple(dict.fromkeys(filter(None, [account.upn, account.mail]))),
            **case.span,
        ),
    )
    found = [_change(row) for row in changes] + [_rule(row) for row in rules]
    return Footholds(changes=tuple(sorted(found, key=lambda change: change.at)), gaps=tuple(gaps))


def _change(row: Row) -> Foothold:
    operation = text(row, "OperationName")
    return Foothold(
        kind=_KINDS.get(operation, FootholdKind.METHOD),
        table="AuditLogs",
        id=text(row, "Id"),
        at=moment(row),
        what=operation,
        ip=text(row, "ActorIp").lower(),
    )


def _rule(row: Row) -> Foothold:
    return Foothold(
        kind=FootholdKind.MAIL_RULE,
        table="OfficeActivity",
        id=text(row, "OfficeId"),
        at=moment(row),
        what=text(row, "Operation"),
        ip=text(row, "ClientIp").lower(),
        session=text(row, "Session"),
    )
