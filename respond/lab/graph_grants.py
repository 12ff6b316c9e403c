"""Delegated permissions that applications were granted, and the applications in this tenant.

https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant
https://learn.microsoft.com/graph/api/resources/serviceprincipal
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

from respond.lab.graph_applications import with_keys
from respond.lab.graph_call import Call
from respond.lab.odata import (
    GraphError,
    bad_request,
    collection,
    entity,
    equality,
    no_content,
    not_found,
    pick,
    selected,
)
from respond.lab.web import Reply

_GRANTS = "oauth2PermissionGrants"
_WHOLE = ("clientId", "resourceId", "principalId")


async def permission_grants(call: Call) -> Reply:
    """GET /users/{id}/oauth2PermissionGrants: what this user consented to for themselves.

    https://learn.microsoft.com/graph/api/user-list-oauth2permissiongrants
    """
    user_id = call.user()["id"].lower()
    grants = [item for item in call.state.all(_GRANTS) if str(item.get("principalId")).lower() == user_id]
    return collection(call.request, _GRANTS, grants)


async def list_grants(call: Call) -> Reply:
    """GET /oauth2PermissionGrants, with `$filter` on clientId, principalId or resourceId.

    https://learn.microsoft.com/graph/api/oauth2permissiongrant-list
    """
    wanted = equality(call.request, ("clientId", "principalId", "resourceId"))
    found = call.state.all(_GRANTS)
    if wanted is not None:
        found = [item for item in found if _key(item, wanted[0]) == wanted[1].lower()]
    return collection(call.request, _GRANTS, found)


async def get_grant(call: Call) -> Reply:
    """GET /oauth2PermissionGrants/{id}.

    https://learn.microsoft.com/graph/api/oauth2permissiongrant-get
    """
    found = call.state.get(_GRANTS, call.params["grant"])
    if found is None:
        raise not_found(call.params["grant"])
    return entity(call.request, f"{_GRANTS}/$entity", pick(found, selected(call.request)))


async def delete_grant(call: Call) -> Reply:
    """DELETE /oauth2PermissionGrants/{id}.

    https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete
    """
    if not call.state.remove(_GRANTS, call.params["grant"]):
        raise not_found(call.params["grant"])
    return no_content()


async def create_grant(call: Call) -> Reply:
    """POST /oauth2PermissionGrants {"clientId", "consentType", "principalId", "resourceId", "scope"}.

    There is one grant for a client, a resource and a user; a second is refused, whatever its scope. The applications
    need not be among those of the story, which rarely lists them all; the user has to be.
    https://learn.microsoft.com/graph/api/oauth2permissiongrant-post
    """
    grant = _read(call.fields())
    principal = grant["principalId"]
    if principal is not None and call.state.get("users", principal) is None:
        raise not_found(principal)
    grant["id"] = _id(grant)
    whole = [_key(grant, name) for name in _WHOLE]

    def add(there: Any) -> dict[str, Any]:
        # looked for here too, as a story may give its grants other ids than Entra would
        if there or any([_key(item, name) for name in _WHOLE] == whole for item in call.state.all(_GRANTS)):
            message = "Permission entry already exists."
            raise GraphError(409, "Request_MultipleObjectsWithSameKeyValue", message)
        return grant

    call.state.put(_GRANTS, grant["id"], add)
    made = entity(call.request, f"{_GRANTS}/$entity", grant)
    return Reply(201, made.body)


async def get_service_principal(call: Call) -> Reply:
    """GET /servicePrincipals/{object id} or /servicePrincipals(appId='…').

    https://learn.microsoft.com/graph/api/serviceprincipal-get
    """
    by_object_id = call.params.get("principal")
    name = by_object_id or call.params["appId"]
    found = call.state.get("servicePrincipals", name) if by_object_id else call.state.by_name("servicePrincipals", name)
    if found is None:
        raise not_found(name)
    return entity(call.request, "servicePrincipals/$entity", pick(with_keys(found), selected(call.request)))


def _read(body: dict[str, Any]) -> dict[str, Any]:
    known = ("clientId", "consentType", "principalId", "resourceId", "scope")
    # an id of the caller's is ignored, as Microsoft's own example sends one
    if others := sorted(set(body) - {*known, "id"}):
        raise bad_request(f"Invalid property '{others[0]}'.")
    for name in ("clientId", "resourceId", "scope"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise bad_request(f"Invalid value specified for property '{name}' of resource 'OAuth2PermissionGrant'.")
    is_for_one = {"Principal": True, "AllPrincipals": False}.get(str(body.get("consentType")))
    principal = body.get("principalId")
    if is_for_one is None or is_for_one != bool(principal) or not isinstance(principal, str | None):
        raise bad_request("consentType must be Principal with a principalId, or AllPrincipals without.")
    return {name: body.get(name) or None for name in known}


def _key(grant: dict[str, Any], name: str) -> str:
    return str(grant.get(name) or "").lower()


def _id(grant: dict[str, Any]) -> str:
    """The id as Entra makes it: client, resource and user, so that a grant made again has the id it had."""
    parts = [_guid(grant[name]) for name in _WHOLE if grant[name] is not None]
    return base64.urlsafe_b64encode(b"".join(part.bytes_le for part in parts)).decode().rstrip("=")


def _guid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, text)
