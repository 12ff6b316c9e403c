"""Directory roles that are assigned.

https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
"""

from __future__ import annotations

import uuid
from typing import Any

from respond.lab.directory_file import object_key
from respond.lab.graph_call import Call
from respond.lab.odata import GraphError, bad_request, collection, entity, equality, no_content, not_found
from respond.lab.web import Reply

_ASSIGNMENTS = "roleManagement/directory/roleAssignments"


async def role_assignments(call: Call) -> Reply:
    """GET /roleManagement/directory/roleAssignments, with `$filter` on principalId or roleDefinitionId."""
    wanted = equality(call.request, ("principalId", "roleDefinitionId"))
    found = call.state.all("roleAssignments")
    if wanted is not None:
        name, value = wanted
        found = [item for item in found if item[name].lower() == value.lower()]
    expand = "roledefinition" in call.request.query.get("$expand", "").lower()
    items = [_assignment(item, expand=expand) for item in found]
    return collection(call.request, "roleManagement/directory/roleAssignments", items)


async def get_assignment(call: Call) -> Reply:
    """GET /roleManagement/directory/roleAssignments/{id}.

    https://learn.microsoft.com/graph/api/unifiedroleassignment-get
    """
    return entity(call.request, f"{_ASSIGNMENTS}/$entity", _assignment(_find(call), expand=False))


async def delete_assignment(call: Call) -> Reply:
    """DELETE /roleManagement/directory/roleAssignments/{id}.

    https://learn.microsoft.com/graph/api/unifiedroleassignment-delete
    """
    call.state.remove("roleAssignments", object_key("roleAssignments", _find(call)))
    return no_content()


async def create_assignment(call: Call) -> Reply:
    """POST /roleManagement/directory/roleAssignments {"principalId", "roleDefinitionId", "directoryScopeId"}.

    https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
    """
    body = call.fields()
    given = {name: body.get(name) for name in ("principalId", "roleDefinitionId", "directoryScopeId")}
    if missing := [name for name, value in given.items() if not isinstance(value, str) or not value]:
        raise bad_request(f"Invalid value specified for property '{missing[0]}' of resource 'RoleAssignment'.")

    def add(there: Any) -> dict[str, Any]:
        if there:
            raise GraphError(400, "Request_BadRequest", "A conflicting object with one or more properties exists.")
        return given

    call.state.put("roleAssignments", object_key("roleAssignments", given), add)
    return Reply(201, entity(call.request, f"{_ASSIGNMENTS}/$entity", _assignment(given, expand=False)).body)


def _find(call: Call) -> dict[str, Any]:
    wanted = call.params["assignment"]
    for item in call.state.all("roleAssignments"):
        if _assignment(item, expand=False)["id"] == wanted:
            return dict(item)
    raise not_found(wanted)


def _assignment(item: dict[str, Any], *, expand: bool) -> dict[str, Any]:
    principal, definition = item["principalId"], item["roleDefinitionId"]
    answer = {
        "id": item.get("id") or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{principal} {definition}")),
        "principalId": principal,
        "roleDefinitionId": definition,
        "directoryScopeId": item.get("directoryScopeId", "/"),
    }
    if expand:
        name = item.get("roleDefinitionName")
        answer["roleDefinition"] = {"id": definition, "templateId": definition, "displayName": name, "isBuiltIn": True}
    return answer
