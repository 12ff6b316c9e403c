"""Users, and what hangs on them.

https://learn.microsoft.com/graph/api/resources/user
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from respond.lab import clock, graph_groups
from respond.lab.graph_call import Call
from respond.lab.odata import (
    USER_DEFAULTS,
    USER_PROPERTIES,
    bad_request,
    collection,
    denied,
    entity,
    no_content,
    one_switch,
    pick,
    selected,
    without_relations,
)
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


async def count_users(call: Call) -> Reply:
    """GET /users/$count, with the same filters: a plain number, and only with `ConsistencyLevel: eventual`.

    https://learn.microsoft.com/graph/api/user-list
    """
    if call.request.headers.get("consistencylevel", "").lower() != "eventual":
        raise bad_request("$count is not currently supported.")
    chosen_by = read_filter(call.request) or ("1", [])
    return Reply(200, len(call.state.select("users", *chosen_by)), {"content-type": "text/plain"})


async def update_user(call: Call) -> Reply:
    """PATCH /users/{id | UPN} {"accountEnabled"}: no cut-off moves with it, and no session ends by it here.

    What an application may do to an account with a privileged role is what a User Administrator may do: nothing.
    https://learn.microsoft.com/graph/api/user-update
    https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
    """
    user = call.user()
    is_enabled = one_switch(call.fields(), "accountEnabled")
    if graph_groups.is_privileged(call.state, user["id"]):
        raise denied()
    call.state.change("users", user["id"], lambda now: now | {"accountEnabled": is_enabled})
    return no_content()


async def revoke_sessions(call: Call) -> Reply:
    """POST /users/{id}/revokeSignInSessions: moves the cut-off to the present, in whole seconds, never backwards.

    A guest gets the same answer, as in Graph, although it reaches none of the sessions of the home tenant.
    """

    def move(user: dict[str, Any]) -> dict[str, Any]:
        now = clock.now().replace(microsecond=0)
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
    user_id = call.user()["id"]
    groups = graph_groups.groups_of(call.state, user_id)
    answer = [_typed("group", group) for group in groups]
    held = graph_groups.roles_of(call.state, user_id, groups)
    roles = {item["roleDefinitionId"]: _directory_role(item) for item in held}
    return collection(call.request, "directoryObjects", _cast(call, answer + list(roles.values())), keep=("id",))


async def registered_devices(call: Call) -> Reply:
    """GET /users/{id}/registeredDevices."""
    return _devices(call, ("registeredUsers", "registeredOwners"))


async def owned_devices(call: Call) -> Reply:
    """GET /users/{id}/ownedDevices."""
    return _devices(call, ("registeredOwners",))


def _devices(call: Call, relations: tuple[str, ...]) -> Reply:
    user_id = call.user()["id"].lower()
    found = [
        _typed("device", device)
        for device in call.state.all("devices")
        if any(str(owner).lower() == user_id for relation in relations for owner in device.get(relation) or [])
    ]
    return collection(call.request, "directoryObjects", _cast(call, found))


def _typed(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """An object as part of a mixed collection."""
    return {"@odata.type": f"#microsoft.graph.{kind}", **without_relations(item)}


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
