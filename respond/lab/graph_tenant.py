"""What the tenant has as a whole: its licences, its Conditional Access policies, the directory roles that exist.

https://learn.microsoft.com/graph/api/subscribedsku-list
https://learn.microsoft.com/graph/api/conditionalaccessroot-list-policies
https://learn.microsoft.com/graph/api/unifiedroledefinition-get

A scenario that names no licences has Entra ID P2; one that names no policies has none.
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import bad_request, collection, entity, not_found, pick, selected
from respond.lab.web import Reply

_LICENSED = {
    "id": "f0a1c2d3-1111-4222-8333-944445555666_84a661c4-e949-4bd2-a560-ed7766fcaf2b",
    "skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b",
    "skuPartNumber": "AAD_PREMIUM_P2",
    "appliesTo": "User",
    "capabilityStatus": "Enabled",
    "consumedUnits": 25,
    "servicePlans": [
        {
            "servicePlanId": "eec0eb4f-6444-4f95-aba0-50c24d67f998",
            "servicePlanName": "AAD_PREMIUM_P2",
            "provisioningStatus": "Success",
            "appliesTo": "User",
        }
    ],
}
_ROLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
}
"""Some of those that every tenant has: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference"""


async def list_skus(call: Call) -> Reply:
    """GET /subscribedSkus, with `$select` and nothing else."""
    if "$filter" in call.request.query:
        raise bad_request("Query option 'Filter' is not allowed.", "BadRequest")
    return collection(call.request, "subscribedSkus", call.state.all("subscribedSkus") or [_LICENSED])


async def list_policies(call: Call) -> Reply:
    """GET /identity/conditionalAccess/policies; a `$filter` is more than the lab takes."""
    if "$filter" in call.request.query:
        raise bad_request("The lab lists policies without a filter.", "BadRequest")
    found = [_whole(policy) for policy in call.state.all("conditionalAccessPolicies")]
    return collection(call.request, "identity/conditionalAccess/policies", found)


async def get_role_definition(call: Call) -> Reply:
    """GET /roleManagement/directory/roleDefinitions/{id}: a built-in role, or one that somebody holds."""
    asked = call.params["role"].lower()
    held = {item["roleDefinitionId"].lower(): item for item in call.state.all("roleAssignments")}
    if asked not in _ROLES and asked not in held:
        raise not_found(call.params["role"])
    name = _ROLES.get(asked) or held[asked].get("roleDefinitionName")
    role = {"id": asked, "templateId": asked, "displayName": name, "isBuiltIn": asked in _ROLES, "isEnabled": True}
    context = "roleManagement/directory/roleDefinitions/$entity"
    return entity(call.request, context, pick(role, selected(call.request)))


def _whole(policy: dict[str, Any]) -> dict[str, Any]:
    return {"displayName": None, "state": "disabled", "conditions": {}, "grantControls": None, **policy}
