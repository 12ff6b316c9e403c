"""Applications that are registered here, and what signs in as them.

https://learn.microsoft.com/graph/api/resources/application
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import bad_request, entity, no_content, not_found, one_switch, pick, selected
from respond.lab.web import Reply

_KINDS = {
    "users": "#microsoft.graph.user",
    "groups": "#microsoft.graph.group",
    "devices": "#microsoft.graph.device",
    "applications": "#microsoft.graph.application",
    "servicePrincipals": "#microsoft.graph.servicePrincipal",
}
_PASSWORDS = "passwordCredentials"


async def get_application(call: Call) -> Reply:
    """GET /applications/{object id} or /applications(appId='…').

    https://learn.microsoft.com/graph/api/application-get
    """
    by_object_id = call.params.get("application")
    name = by_object_id or call.params["appId"]
    found = call.state.get("applications", name) if by_object_id else call.state.by_name("applications", name)
    if found is None:
        raise not_found(name)
    return entity(call.request, "applications/$entity", pick(with_keys(found), selected(call.request)))


async def update_principal(call: Call) -> Reply:
    """PATCH /servicePrincipals/{object id} {"accountEnabled"}.

    https://learn.microsoft.com/graph/api/serviceprincipal-update
    """
    principal = _there(call, "servicePrincipals", call.params["principal"])
    is_enabled = one_switch(call.fields(), "accountEnabled")
    call.state.change("servicePrincipals", principal["id"], lambda now: now | {"accountEnabled": is_enabled})
    return no_content()


async def get_directory_object(call: Call) -> Reply:
    """GET /directoryObjects/{id}: an object of any kind.

    https://learn.microsoft.com/graph/api/directoryobject-get
    """
    for collection, kind in _KINDS.items():
        if found := call.state.get(collection, call.params["object"]):
            return entity(call.request, "directoryObjects/$entity", {"@odata.type": kind, **found})
    raise not_found(call.params["object"])


async def remove_password(call: Call) -> Reply:
    """POST /applications/{object id}/removePassword {"keyId"}, and the same of a service principal.

    https://learn.microsoft.com/graph/api/application-removepassword
    """
    collection = "applications" if "application" in call.params else "servicePrincipals"
    holder = _there(call, collection, call.params.get("application") or call.params["principal"])
    wanted = call.fields().get("keyId")

    def without(now: dict[str, Any]) -> dict[str, Any]:
        kept = [one for one in now.get(_PASSWORDS) or [] if one.get("keyId") != wanted]
        if len(kept) == len(now.get(_PASSWORDS) or []):
            raise bad_request("No password credential found with keyId.")
        return now | {_PASSWORDS: kept}

    call.state.change(collection, holder["id"], without)
    return no_content()


def with_keys(application: dict[str, Any]) -> dict[str, Any]:
    """Graph lists the keys of every application, also where there are none."""
    return {_PASSWORDS: [], "keyCredentials": []} | application


def _there(call: Call, collection: str, name: str) -> dict[str, Any]:
    found = call.state.get(collection, name)
    if found is None:
        raise not_found(name)
    return dict(found)
