"""What was added to stay? Devices, authentication methods, consents, inbox rules and forwarding since the sign-in.

Read only: what is found raises the verdict, and says which of the things that the user has now are the attacker's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

from respond.clients.forwarding import leads_outside
from respond.clients.rows import Row, moment, text
from respond.models.case import Case
from respond.models.evidence import Account, Foothold, FootholdKind, Footholds
from respond.step import inquiry, read_action

_KINDS = {
    "Register device": FootholdKind.DEVICE,
    "Add device": FootholdKind.DEVICE,
    "Consent to application": FootholdKind.CONSENT,
    "Add delegated permission grant": FootholdKind.CONSENT,
    "Add app role assignment grant to user": FootholdKind.CONSENT,
    "Add service principal credentials": FootholdKind.CONSENT,
}
_SCOPE = re.compile(r"Scope: ([^,\]]*)")
_ID_PROPERTIES = ("ServicePrincipal.ObjectID", "Device.ObjectID")


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
                    [_change(row) for row in changes if _made_by(who, row)]
                    + [_rule(row) for row in rules if _mailbox_of(who, row)],
                    key=lambda change: change.at,
                )
            ),
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


def _change(row: Row) -> Foothold:
    operation = text(row, "OperationName")
    return Foothold(
        kind=_KINDS.get(operation, FootholdKind.METHOD),
        table="AuditLogs",
        id=text(row, "Id"),
        at=moment(row),
        what=operation,
        ip=text(row, "ActorIp").lower(),
        objects=_objects(text(row, "Targets")),
        name=_application(text(row, "Targets")) if operation == "Consent to application" else "",
        scopes=_scopes(text(row, "Targets")),
    )


def _scopes(targets: str) -> tuple[str, ...]:
    """What a grant or a consent allows. The first has it as a property, the second within the text of one."""
    said = []
    for target in _parsed(targets):
        changed = {text(one, "displayName"): text(one, "newValue") for one in target.get("modifiedProperties") or []}
        said.append(changed.get("DelegatedPermissionGrant.Scope", "").strip('" '))
        said += _SCOPE.findall(changed.get("ConsentAction.Permissions", ""))
    return tuple(dict.fromkeys(" ".join(said).lower().split()))


def _application(targets: str) -> str:
    """What the application calls itself that a consent is for."""
    return next((text(target, "displayName") for target in _parsed(targets)), "")


def _parsed(targets: str) -> list[Any]:
    try:
        rows = json.loads(targets or "[]")
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _objects(targets: str) -> tuple[str, ...]:
    """Ids in `TargetResources`. A grant is filed under the resource; the application it is for is a property of it."""
    found: list[str] = []
    for target in _parsed(targets):
        found.append(text(target, "id"))
        changed = target.get("modifiedProperties")
        found += [
            text(one, "newValue").strip('" ') for one in changed or [] if text(one, "displayName") in _ID_PROPERTIES
        ]
    return tuple(dict.fromkeys(one.lower() for one in found if one))


def _rule(row: Row) -> Foothold:
    return Foothold(
        kind=FootholdKind.MAIL_RULE,
        table="OfficeActivity",
        id=text(row, "OfficeId"),
        at=moment(row),
        what=text(row, "Operation"),
        ip=text(row, "ClientIp").lower(),
        session=text(row, "Session"),
        name=_parameter(text(row, "Parameters"), "Name"),
        leads_outside=leads_outside(row),
    )


def _parameter(parameters: str, name: str) -> str:
    """One of the parameters that an Exchange command was given."""
    try:
        given = json.loads(parameters or "[]")
    except ValueError:
        return ""
    pairs = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return next((text(one, "Value") for one in pairs if text(one, "Name") == name), "")
