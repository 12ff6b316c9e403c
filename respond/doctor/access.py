"""What the tenant itself does: is there risk data, and is device code flow blocked where it is not needed?

https://learn.microsoft.com/entra/identity/conditional-access/policy-block-authentication-flows
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.doctor.patient import Patient
from respond.errors import Forbidden
from respond.models.checkup import Result, ok, skipped, warning
from respond.models.tenant_facts import AccessPolicy

_P2 = "AAD_PREMIUM_P2"
_BLOCK = (
    "block it in Entra ID, Conditional Access, with a policy for all users and resources but the few that need it: "
    "Conditions, Authentication flows, Device code flow; Grant, Block access"
)


async def licence(patient: Patient) -> Sequence[Result]:
    """Without P2, Identity Protection keeps its levels to itself: hidden, which is not low."""
    try:
        plans = await patient.clients.graph.tenant.plans()
    except Forbidden:
        return [skipped("Entra ID P2", "licences cannot be read", "grant LicenseAssignment.Read.All to see it here")]
    if _P2 in plans:
        return [ok("Entra ID P2", "licensed: risk levels are there")]
    todo = "nothing, or license P2: risk is a gap in every case, and confirm_user and confirm_sign_ins cannot be done"
    return [warning("Entra ID P2", "not licensed: no risk levels", todo)]


async def device_code_flow(patient: Patient) -> Sequence[Result]:
    """The best containment is a flow that nobody can use."""
    try:
        policies = await patient.clients.graph.tenant.access_policies()
    except Forbidden:
        todo = "grant Policy.Read.All to see it here; no action needs it"
        return [skipped("device code flow", "Conditional Access policies cannot be read", todo)]
    about = [policy for policy in policies if policy.is_about_device_codes]
    live = [policy for policy in about if policy.state == "enabled"]
    if not live:
        dry = [policy for policy in about if policy.state == "enabledForReportingButNotEnforced"]
        found = f'only reported: "{dry[0].name}"' if dry else "no Conditional Access policy blocks it"
        return [warning("device code flow", found, "turn that policy on" if dry else _BLOCK)]
    wide = [policy for policy in live if policy.everybody and policy.everything]
    if not wide:
        found = f'"{live[0].name}" blocks it for some users or resources only'
        return [warning("device code flow", found, _BLOCK)]
    return [ok("device code flow", f"blocked by {_told(wide[0])}")]


def _told(policy: AccessPolicy) -> str:
    if not policy.excluded:
        return f'"{policy.name}", for everybody'
    return f'"{policy.name}", but for {policy.excluded} excluded users, groups or roles'
