"""Rows of AuditLogs and OfficeActivity as changes that let somebody stay. Tolerant: whatever a row lacks is empty."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from respond.clients.forwarding import leads_outside
from respond.clients.operations import KEYS, REVOKED, STRONG, Operation, operation
from respond.clients.rows import Row, address, moment, storable, text
from respond.models.base import Source
from respond.models.evidence import Foothold, FootholdKind

_ESTS = "azure ests service"
"""Entra's sign-in service: what a user consents to inside a sign-in is done by it, from an address of Microsoft's."""
_ID_PROPERTIES = frozenset(
    {
        "appid",
        "application.appid",
        "application.objectid",
        "device.objectid",
        "deviceid",
        "role.objectid",
        "role.templateid",
        "serviceprincipal.appid",
        "serviceprincipal.objectid",
        "targetid.deviceid",
        "targetid.serviceprincipalnames",
    }
)
_DETAIL_KEYS = ("appid", "application id", "serviceprincipal id", "device id", "deviceid")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CLIENT = re.compile(r"ClientId:\s*([0-9a-f-]{36})", re.IGNORECASE)
_KEY = re.compile(r"KeyIdentifier=([0-9a-f-]{36})", re.IGNORECASE)
_WINDOWS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_SCOPE = re.compile(r"Scope: ([^,\]]*)")
_FORWARDS = ("ForwardingSmtpAddress", "ForwardingAddress", "DeliverToMailboxAndForward")
_LETS_IN = ("User", "Trustee", "AccessRights", "JournalEmailAddress", "SmartHosts")
_EMPTY = ("", "$null", "false")


def read_revocation(row: Row) -> Source | None:
    """The audit log's word that refresh tokens were revoked; None for another row."""
    if text(row, "OperationName").strip().lower() != REVOKED:
        return None
    return Source(table="AuditLogs", id=text(row, "Id"), at=moment(row))


def read_change(row: Row) -> Foothold | None:
    """One row of AuditLogs; None when it lets nobody stay."""
    name = text(row, "OperationName").strip()
    what = operation(name)
    targets = _parsed(text(row, "Targets"))
    if what is None or not _counts(what, targets):
        return None
    if what.kind is FootholdKind.ACCOUNT and not text(row, "Actor"):
        return None  # by a program, to the user: what answers an attack resets passwords as well
    added = _added_methods(targets) if what.needs == (STRONG,) else ()
    if what.needs == (STRONG,) and not added:
        return None  # Entra notes there when a method was last used
    names = dict.fromkeys((*_names(what.kind, targets), *(label for _, label in added)))
    aliases = tuple(one for one in names if one)
    by_service = _ESTS in (text(row, "Identity").lower(), text(row, "ActorName").lower())
    return Foothold(
        kind=what.kind,
        table="AuditLogs",
        id=text(row, "Id"),
        at=moment(row),
        what=name,
        ip="" if by_service else address(row, "ActorIp"),
        objects=tuple(dict.fromkeys((*_objects(what.kind, targets, row), *(number for number, _ in added)))),
        name=aliases[0] if aliases else "",
        aliases=aliases,
        secrets=_secrets(targets),
        reason=text(row, "ResultReason"),
        removal=what.removal,
        creates=what.creates,
        scopes=_scopes(targets) if what.kind is FootholdKind.CONSENT else (),
        whose=_people(targets) if what.kind is FootholdKind.METHOD else (),
        agent=_detail(row, "user-agent"),
        build=_build(targets, _detail(row, "user-agent")) if what.kind is FootholdKind.DEVICE else "",
    )


def _people(targets: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Object ids and names of the users among the targets."""
    users = [target for target in targets if text(target, "type").lower() == "user"]
    said = (text(user, key).lower() for user in users for key in ("id", "userPrincipalName"))
    return tuple(dict.fromkeys(one for one in said if one))


def _detail(row: Row, key: str) -> str:
    """One of the additional details of a row."""
    try:
        details = json.loads(text(row, "Agent") or "[]")
    except ValueError:
        return ""
    kept = (one for one in details if isinstance(one, dict)) if isinstance(details, list) else ()
    return next((storable(str(one.get("value") or "")) for one in kept if str(one.get("key")).lower() == key), "")


def _build(targets: Sequence[dict[str, Any]], agent: str) -> str:
    """The version of Windows that a device says it has; Windows' own client names it as well."""
    said = [new for name, _, new in _modified(targets) if name.lower().endswith("osversion")]
    said += [agent] if "windows" in agent.lower() else []
    return next((found[0] for new in said if (found := _WINDOWS.search(new))), "")


def _scopes(targets: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """What a grant or a consent allows. The first has it as a property, the second within the text of one."""
    said: list[str] = []
    for name, _, new in _modified(targets):
        if name == "DelegatedPermissionGrant.Scope":
            said.append(_bare(new))
        elif name == "ConsentAction.Permissions":
            said += _SCOPE.findall(new)
    return tuple(dict.fromkeys(" ".join(said).lower().split()))


def linked(changes: Iterable[Foothold]) -> list[Foothold]:
    """The changes, with every id by which another row knows the same application.

    One row names the service principal alone, another one the application as well.
    """
    kept = list(changes)
    kinds = (FootholdKind.CONSENT, FootholdKind.APPLICATION)
    known = [set(change.objects) for change in kept if change.kind in kinds and change.objects]
    merged: list[set[str]] = []
    for ids in known:
        apart = [one for one in merged if not one & ids]
        merged = [*apart, ids.union(*(one for one in merged if one & ids))]
    for index, change in enumerate(kept):
        if change.kind in kinds and change.objects:
            whole = next(one for one in merged if one & set(change.objects))
            kept[index] = change.model_copy(update={"objects": (*change.objects, *sorted(whole - set(change.objects)))})
    return kept


def read_rule(row: Row) -> Foothold | None:
    """One row of OfficeActivity; None when it takes forwarding away."""
    what, given = text(row, "Operation"), _pairs(text(row, "Parameters"))
    properties = _pairs(text(row, "Properties"))
    if what.lower() == "set-mailbox" and all(given.get(name, "").lower() in _EMPTY for name in _FORWARDS):
        return None
    before = [_last_part(given.get("Identity", "")), _last_part(text(row, "Object"), whole=False)]
    chosen = given.get("Name") or properties.get("RuleName") or ""
    # A rule that is made has the name that it is given; one that is changed had another one before, perhaps.
    names = [chosen] if chosen and what.lower() == "new-inboxrule" else [chosen, *before]
    aliases = tuple(dict.fromkeys(name for name in names if name))
    ids = (properties.get("RuleId", ""), *(name for name in before if name.lstrip("-").isdigit()))
    gone = what.lower() == "remove-inboxrule" or properties.get("RuleOperation", "").lower().startswith(
        ("remove", "delete")
    )
    return Foothold(
        kind=FootholdKind.MAIL_RULE,
        table="OfficeActivity",
        id=text(row, "OfficeId"),
        at=moment(row),
        what=what,
        ip=address(row, "ClientIp"),
        session=text(row, "Session"),
        objects=tuple(dict.fromkeys(one for one in ids if one)),
        name=aliases[0] if aliases else "",
        aliases=aliases,
        reason=", ".join(
            f"{name} {given[name]}" for name in (*_FORWARDS, *_LETS_IN) if given.get(name, "").lower() not in _EMPTY
        ),
        removal=gone or what.lower() == "disable-inboxrule",
        creates=what.lower() == "new-inboxrule" or properties.get("RuleOperation", "").lower().startswith("add"),
        leads_outside=leads_outside(row),
        whose=_mailboxes(row, given),
    )


def _mailboxes(row: Row, given: dict[str, str]) -> tuple[str, ...]:
    """Which mailbox a command was about, in every name that the row gives it. Without one it is the caller's own."""
    path = given.get("Identity", "").replace("/", "\\")
    before = path.rpartition("\\")[0].rpartition("\\")[2]
    named = (given.get("Mailbox", ""), text(row, "MailboxOwnerUPN"), before if "@" in before else "")
    # The parameter is the command's own word; who owns the mailbox that carried it out may be the caller.
    said = [one.strip().lower() for one in named]
    return (said[0],) if said[0] else tuple(dict.fromkeys(one for one in said[1:] if one))


def _last_part(path: str, *, whole: bool = True) -> str:
    r"""`…/user\Rule name`, as Exchange writes identities.

    Args:
        whole: a text without a separator is the name itself.
    """
    for separator in ("\\", "/"):
        if separator in path:
            return path.rsplit(separator, 1)[1].strip()
    return path.strip() if whole else ""


def _pairs(given: str) -> dict[str, str]:
    """What an Exchange command was given: a list of names and values, or an object."""
    found = _loaded(given)
    if isinstance(found, dict):
        return {str(name): _word(value) for name, value in found.items()}
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return {text(one, "Name"): _word(one.get("Value")) for one in rows}


def _word(value: object) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else json.dumps(value)


def _counts(what: Operation, targets: Sequence[dict[str, Any]]) -> bool:
    names = [name for name, _, _ in _modified(targets)]
    return not what.needs or any(name.startswith(need) for name in names for need in what.needs)


def _names(kind: FootholdKind, targets: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the object calls itself. The target of a delegated grant is the resource, which is not what was let in."""
    properties = [name for name, _, _ in _modified(targets)]
    is_grant = kind is FootholdKind.CONSENT and any(name.startswith("DelegatedPermission") for name in properties)
    if kind is FootholdKind.ROLE:
        yield from (_bare(new) for name, _, new in _modified(targets) if name == "Role.DisplayName")
    for target in targets:
        if kind is not FootholdKind.METHOD and not is_grant and not _is_user(kind, target):
            yield text(target, "displayName") or text(target, "userPrincipalName")


def _is_user(kind: FootholdKind, target: dict[str, Any]) -> bool:
    """Whether a target is only whose the object is."""
    own = kind not in (FootholdKind.ROLE, FootholdKind.GUEST, FootholdKind.ACCOUNT)
    return own and text(target, "type").lower() == "user"


def _objects(kind: FootholdKind, targets: Sequence[dict[str, Any]], row: Row) -> Iterator[str]:
    """Ids in `TargetResources`. A grant is filed under the resource; the application it is for is a property of it."""
    named = [new for name, _, new in _modified(targets) if name.lower() in _ID_PROPERTIES]
    found = [guid.lower() for value in named for guid in _GUID.findall(value)]
    found += [guid.lower() for _, _, new in _modified(targets) for guid in _CLIENT.findall(new)]
    # The target of a grant, or of an assignment, is the resource that it is for.
    what = text(row, "OperationName").lower()
    is_grant = bool(found) and ("permission grant" in what or "app role assignment" in what)
    if kind is not FootholdKind.METHOD and not is_grant:
        yield from (
            text(target, "id").lower() for target in targets if text(target, "id") and not _is_user(kind, target)
        )
    yield from found
    for item in _listed(text(row, "Agent")):
        if text(item, "key").lower() in _DETAIL_KEYS:
            yield from (guid.lower() for guid in _GUID.findall(text(item, "value")))


def _secrets(targets: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Ids of the keys that were not there before."""
    found: list[str] = []
    for name, old, new in _modified(targets):
        if name in KEYS:
            found += [key.lower() for key in _KEY.findall(new) if key.lower() not in old.lower()]
    return tuple(dict.fromkeys(found))


def _added_methods(targets: Sequence[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """(id, label) of the methods that a user has now and had not before."""
    found: list[tuple[str, str]] = []
    for name, old, new in _modified(targets):
        if name.startswith(STRONG):
            before = {_method_key(one) for one in _listed(old)}
            found += [_method_key(one) for one in _listed(new) if _method_key(one) not in before]
    return tuple(dict.fromkeys(one for one in found if any(one)))


def _method_key(item: dict[str, Any]) -> tuple[str, str]:
    label = text(item, "DeviceName") or text(item, "PhoneNumber") or text(item, "Email")
    kind = text(item, "MethodType")
    return text(item, "Id").lower(), label or (f"type {kind}" if kind else "")


def _modified(targets: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Name, old and new value of every property that was modified."""
    found = []
    for target in targets:
        modified = (one for one in target.get("modifiedProperties") or [] if isinstance(one, dict))
        found += [(text(one, "displayName"), text(one, "oldValue"), text(one, "newValue")) for one in modified]
    return found


def _bare(value: str) -> str:
    return value.strip('" ')


def _loaded(value: str) -> Any:
    """JSON, also JSON that was written into a JSON string once more."""
    try:
        found = json.loads(value or "null")
        return json.loads(found) if isinstance(found, str) and found[:1] in ("[", "{") else found
    except (ValueError, RecursionError):
        return None


def _listed(value: str) -> list[dict[str, Any]]:
    found = _loaded(value)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _parsed(targets: str) -> list[dict[str, Any]]:
    return _listed(targets)
