"""Users, and what hangs on them.

https://learn.microsoft.com/graph/api/resources/user
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import USER_DEFAULTS, USER_PROPERTIES, collection, entity, pick, selected
from respond.lab.user_filter import read_filter
from respond.lab.web import Reply


async def get_user(call: Call) -> Reply:
    """GET /users/{id | UPN}: eleven properties unless others are selected."""
    user = call.user()
    chosen = selected(call.request, USER_PROPERTIES | set(user))
    context = f"users({','.join(chosen)})/$entity" if chosen else "users/$entity"
    return entity(call.request, context, pick(user, chosen or USER_DEFAULTS))


async def list_users(call: Call) -> Reply:
    """GET /users, with the filters of `user_filter`."""
    chosen_by = read_filter(call.request)
    users = call.state.all("users") if chosen_by is None else call.state.select("users", *chosen_by)
    chosen = selected(call.request, USER_PROPERTIES | {name for user in users for name in user})
    return collection(call.request, "users", [pick(user, chosen or USER_DEFAULTS) for user in users])


async def revoke_sessions(call: Call) -> Reply:
    """POST /users/{id}/revokeSignInSessions: moves the cut-off to the present, in whole seconds, never backwards.

    A guest gets the same answer, as in Graph, although it reaches none of the sessions of the home tenant.
    """

    def move(user: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).replace(microsecond=0)
        before = user.get("signInSessionsValidFromDateTime")
        if before is not None and datetime.fromisoformat(before) > now:
            return user
        return user | {"signInSessionsValidFromDateTime": now.isoformat().replace("+00:00", "Z")}

    call.state.change("users", call.user()["id"], move)
    return entity(call.request, "Edm.Boolean", {"value": True})


async def member_of(call: Call) -> Reply:
    """GET /users/{id}/transitiveMemberOf: groups, also through groups, and the directory roles of all of them.

    Whatever is selected, each says what it is: @odata.type and id.
    """
    principals = {call.user()["id"].lower()}
    groups = call.state.all("groups")
    found: list[dict[str, Any]] = []
    while new := [group for group in groups if group not in found and _members(group) & principals]:
        found += new
        principals |= {group["id"].lower() for group in new}
    answer = [_typed("group", group) for group in found]
    held = [item for item in call.state.all("roleAssignments") if item["principalId"].lower() in principals]
    roles = {item["roleDefinitionId"]: _directory_role(item) for item in held}
    return collection(call.request, "directoryObjects", _cast(call, answer + list(roles.values())), keep=("id",))


async def registered_devices(call: Call) -> Reply:
    """GET /users/{id}/registeredDevices."""
    return _devices(call, ("registeredUsers", "registeredOwners"))


async def owned_devices(call: Call) -> Reply:
    """GET /users/{id}/ownedDevices."""
    return _devices(call, ("registeredOwners",))


async def permission_grants(call: Call) -> Reply:
    """GET /users/{id}/oauth2PermissionGrants: what this user consented to for themselves."""
    user_id = call.user()["id"].lower()
    grants = [
        item for item in call.state.all("oauth2PermissionGrants") if str(item.get("principalId")).lower() == user_id
    ]
    return collection(call.request, "oauth2PermissionGrants", grants)


async def message_rules(call: Call) -> Reply:
    """GET /users/{id}/mailFolders/inbox/messageRules."""
    user_id = call.user()["id"]
    return collection(
        call.request,
        f"users('{user_id}')/mailFolders('inbox')/messageRules",
        call.state.get("messageRules", user_id) or [],
    )


async def authentication_methods(call: Call) -> Reply:
    """GET /users/{id}/authentication/methods."""
    user_id = call.user()["id"]
    methods = call.state.get("authenticationMethods", user_id) or []
    return collection(call.request, f"users('{user_id}')/authentication/methods", methods)


def _devices(call: Call, relations: tuple[str, ...]) -> Reply:
    user_id = call.user()["id"].lower()
    found = [
        _typed("device", device)
        for device in call.state.all("devices")
        if any(str(owner).lower() == user_id for relation in relations for owner in device.get(relation) or [])
    ]
    return collection(call.request, "directoryObjects", _cast(call, found))


def _members(group: dict[str, Any]) -> set[str]:
    return {str(member).lower() for member in group.get("members") or []}


def _typed(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """An object as part of a mixed collection, without the lab's own relations."""
    plain = {
        name: value for name, value in item.items() if name not in ("members", "registeredOwners", "registeredUsers")
    }
    return {"@odata.type": f"#microsoft.graph.{kind}", **plain}


def _directory_role(assignment: dict[str, Any]) -> dict[str, Any]:
    template = assignment["roleDefinitionId"]
    return {
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"directoryRole {template}")),
        "displayName": assignment.get("roleDefinitionName"),
        "roleTemplateId": template,
    }


def _cast(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kind = f"#microsoft.graph.{call.cast}".lower()
    return [item for item in items if not call.cast or item["@odata.type"].lower() == kind]
