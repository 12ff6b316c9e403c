"""Groups: who is in them, and what that lets them do.

https://learn.microsoft.com/graph/api/resources/group
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import entity, not_found, pick, selected, without_relations
from respond.lab.state import LabState
from respond.lab.web import Reply

_MOST_CHECKED = 20
_HARMLESS_ROLES = frozenset({
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",  # Directory Readers
    "95e79109-95c0-4d8e-aee3-d01accf2d47b",  # Guest Inviter
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",  # Message Center Reader
    "4a5d8f65-41da-4de4-8968-e035b65339cf",  # Reports Reader
})  # fmt: skip


async def get_group(call: Call) -> Reply:
    """GET /groups/{id}: without its members.

    https://learn.microsoft.com/graph/api/group-get
    """
    found = call.state.get("groups", call.params["group"])
    if found is None:
        raise not_found(call.params["group"])
    return entity(call.request, "groups/$entity", pick(without_relations(found), selected(call.request)))


async def check_member_groups(call: Call) -> Reply:
    """POST /users/{id}/checkMemberGroups {"groupIds"}: those of up to 20 groups that the user is in.

    Membership through groups counts. A group that does not exist is one that the user is not in.
    https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups
    """
    user_id = call.user()["id"]
    asked = call.texts("groupIds", most=_MOST_CHECKED)
    inside = {group["id"].lower() for group in groups_of(call.state, user_id)}
    return entity(
        call.request, "Collection(Edm.String)", {"value": [group for group in asked if group.lower() in inside]}
    )


def groups_of(state: LabState, user_id: str) -> list[dict[str, Any]]:
    """The groups that a user is in, also through groups: nearest first."""
    principals, groups = {user_id.lower()}, state.all("groups")
    found: list[dict[str, Any]] = []
    while new := [group for group in groups if group not in found and _members(group) & principals]:
        found += new
        principals |= {group["id"].lower() for group in new}
    return found


def roles_of(state: LabState, user_id: str, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The assignments of directory roles that a user holds, in person or through the groups."""
    principals = {user_id.lower(), *(group["id"].lower() for group in groups)}
    return [item for item in state.all("roleAssignments") if item["principalId"].lower() in principals]


def is_privileged(state: LabState, user_id: str) -> bool:
    """Whether sensitive actions on this account need more than a User Administrator may do.

    So it is with any directory role but the four that Microsoft counts as none, and with membership in a group that
    roles can be assigned to. How far an application's permission reaches here, Microsoft describes for delegated
    access only; the lab takes the stricter reading.
    """
    groups = groups_of(state, user_id)
    if any(group.get("isAssignableToRole") is True for group in groups):
        return True
    return any(item["roleDefinitionId"].lower() not in _HARMLESS_ROLES for item in roles_of(state, user_id, groups))


def _members(group: dict[str, Any]) -> set[str]:
    return {str(member).lower() for member in group.get("members") or []}
