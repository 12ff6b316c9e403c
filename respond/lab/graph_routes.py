"""Every Graph endpoint that the lab answers.

Permissions are application permissions, the least privileged first, from Microsoft's permissions reference
(https://learn.microsoft.com/graph/permissions-reference) and the page of each endpoint.
"""

from __future__ import annotations

from respond.lab import (
    graph_applications,
    graph_devices,
    graph_grants,
    graph_groups,
    graph_mail,
    graph_methods,
    graph_risk,
    graph_roles,
    graph_security,
    graph_send,
    graph_tenant,
    graph_users,
)
from respond.lab.graph_call import Route

_READ_USER = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_READ_GROUP = (
    "GroupMember.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
)
_CHECK_GROUPS = (
    "User.Read.All and GroupMember.Read.All",
    "User.Read.All and Group.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
)
_READ_DEVICE = ("Device.Read.All", "Device.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_WRITE_DEVICE = ("Device.ReadWrite.All", "Directory.ReadWrite.All")
_READ_APPLICATION = (
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
)
# OwnedBy is the lesser one, and reaches none of what an attacker made.
_WRITE_APPLICATION = ("Application.ReadWrite.All", "Directory.ReadWrite.All")
_WRITE_ROLES = ("RoleManagement.ReadWrite.Directory",)
_READ_RULES = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")
_WRITE_RULES = ("MailboxSettings.ReadWrite",)
_READ_METHODS = ("UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All")
_READ_RISK = ("IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All")
_WRITE_RISK = ("IdentityRiskyUser.ReadWrite.All",)
_WRITE_RISK_EVENT = ("IdentityRiskEvent.ReadWrite.All",)
_READ_GRANTS = (
    "Directory.Read.All",
    "DelegatedPermissionGrant.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.ReadWrite.All",
)
_WRITE_GRANTS = ("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All")
_READ_ROLES = (
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
    "Directory.Read.All",
    "RoleManagement.ReadWrite.Directory",
    "Directory.ReadWrite.All",
)
_READ_LICENCES = (
    "LicenseAssignment.Read.All",
    "Organization.Read.All",
    "Directory.Read.All",
    "Organization.ReadWrite.All",
    "Directory.ReadWrite.All",
)
_READ_POLICIES = ("Policy.Read.All",)
_REVOKE = ("User.RevokeSessions.All",)
_ENABLE = ("User.EnableDisableAccount.All and User.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
_HUNT = ("ThreatHunting.Read.All",)
_SEND = ("Mail.Send",)

_RULES = "users/{user}/mailFolders/inbox/messageRules"
_RISKY = "identityProtection/riskyUsers"
_GRANT = "oauth2PermissionGrants/{grant}"
_ASSIGNMENT = "roleManagement/directory/roleAssignments/{assignment}"


def _remove_method(kind: str, role: str) -> Route:
    # The pages of the endpoints call the permission for every method the lesser one, against what the two allow:
    # the lab grants the one that reaches less. Either is enough.
    permissions = (f"{role}.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All")
    path = f"users/{{user}}/authentication/{kind}Methods/{{method}}"
    if kind == "external":
        path = f"users/{{user}}/authentication/{kind}AuthenticationMethods/{{method}}/$ref"
    return Route("DELETE", path, permissions, graph_methods.remover(kind), write=True)


# the first that fits is taken
ROUTES = (
    Route("GET", "users", _READ_USER, graph_users.list_users),
    Route("GET", "users/$count", _READ_USER, graph_users.count_users),
    Route("GET", "users/{user}", _READ_USER, graph_users.get_user),
    Route("PATCH", "users/{user}", _ENABLE, graph_users.update_user, write=True),
    Route("POST", "users/{user}/revokeSignInSessions", _REVOKE, graph_users.revoke_sessions, write=True),
    Route(
        "POST", "users/{user}/microsoft.graph.revokeSignInSessions", _REVOKE, graph_users.revoke_sessions, write=True
    ),
    Route("GET", "users/{user}/transitiveMemberOf", _READ_USER, graph_users.member_of),
    Route("POST", "users/{user}/checkMemberGroups", _CHECK_GROUPS, graph_groups.check_member_groups),
    Route("GET", "groups/{group}", _READ_GROUP, graph_groups.get_group),
    Route("GET", "users/{user}/registeredDevices", _READ_USER, graph_users.registered_devices),
    Route("GET", "users/{user}/ownedDevices", _READ_USER, graph_users.owned_devices),
    Route("GET", "devices/{device}", _READ_DEVICE, graph_devices.get_device),
    Route("GET", "devices(deviceId)/{deviceId}", _READ_DEVICE, graph_devices.get_device),
    Route("PATCH", "devices/{device}", _WRITE_DEVICE, graph_devices.update_device, write=True),
    Route("PATCH", "devices(deviceId)/{deviceId}", _WRITE_DEVICE, graph_devices.update_device, write=True),
    Route("DELETE", "devices/{device}", _WRITE_DEVICE, graph_devices.delete_device, write=True),
    Route("GET", "users/{user}/oauth2PermissionGrants", _READ_GRANTS, graph_grants.permission_grants),
    Route("GET", "oauth2PermissionGrants", _READ_GRANTS, graph_grants.list_grants),
    Route("GET", _GRANT, _READ_GRANTS, graph_grants.get_grant),
    Route("DELETE", _GRANT, _WRITE_GRANTS, graph_grants.delete_grant, write=True),
    Route("POST", "oauth2PermissionGrants", _WRITE_GRANTS, graph_grants.create_grant, write=True),
    Route("GET", "directoryObjects/{object}", _READ_APPLICATION, graph_applications.get_directory_object),
    Route("GET", "servicePrincipals/{principal}", _READ_APPLICATION, graph_grants.get_service_principal),
    Route("GET", "servicePrincipals(appId)/{appId}", _READ_APPLICATION, graph_grants.get_service_principal),
    Route(
        "PATCH", "servicePrincipals/{principal}", _WRITE_APPLICATION, graph_applications.update_principal, write=True
    ),
    Route("GET", "applications/{application}", _READ_APPLICATION, graph_applications.get_application),
    Route("GET", "applications(appId)/{appId}", _READ_APPLICATION, graph_applications.get_application),
    Route(
        "POST",
        "applications/{application}/removePassword",
        _WRITE_APPLICATION,
        graph_applications.remove_password,
        write=True,
    ),
    Route(
        "POST",
        "servicePrincipals/{principal}/removePassword",
        _WRITE_APPLICATION,
        graph_applications.remove_password,
        write=True,
    ),
    Route("GET", _RULES, _READ_RULES, graph_mail.message_rules),
    Route("GET", f"{_RULES}/{{rule}}", _READ_RULES, graph_mail.get_message_rule),
    Route("PATCH", f"{_RULES}/{{rule}}", _WRITE_RULES, graph_mail.update_message_rule, write=True),
    Route("DELETE", f"{_RULES}/{{rule}}", _WRITE_RULES, graph_mail.delete_message_rule, write=True),
    Route("POST", "users/{user}/sendMail", _SEND, graph_send.send_mail, write=True),
    Route("POST", "users/{user}/microsoft.graph.sendMail", _SEND, graph_send.send_mail, write=True),
    Route("GET", "users/{user}/authentication/methods", _READ_METHODS, graph_methods.authentication_methods),
    *(_remove_method(kind, role) for kind, role in graph_methods.TYPES.items()),
    Route("GET", _RISKY, _READ_RISK, graph_security.list_risky_users),
    Route("GET", f"{_RISKY}/{{user}}", _READ_RISK, graph_security.get_risky_user),
    Route("POST", f"{_RISKY}/confirmCompromised", _WRITE_RISK, graph_risk.confirm_compromised, write=True),
    Route("POST", f"{_RISKY}/dismiss", _WRITE_RISK, graph_risk.dismiss, write=True),
    Route("POST", "auditLogs/signIns/confirmCompromised", _WRITE_RISK_EVENT, graph_risk.confirm_sign_ins, write=True),
    Route("GET", "roleManagement/directory/roleAssignments", _READ_ROLES, graph_roles.role_assignments),
    Route("GET", _ASSIGNMENT, _READ_ROLES, graph_roles.get_assignment),
    Route("DELETE", _ASSIGNMENT, _WRITE_ROLES, graph_roles.delete_assignment, write=True),
    Route("POST", "roleManagement/directory/roleAssignments", _WRITE_ROLES, graph_roles.create_assignment, write=True),
    Route("GET", "roleManagement/directory/roleDefinitions/{role}", _READ_ROLES, graph_tenant.get_role_definition),
    Route("GET", "subscribedSkus", _READ_LICENCES, graph_tenant.list_skus),
    Route("GET", "identity/conditionalAccess/policies", _READ_POLICIES, graph_tenant.list_policies),
    Route("POST", "security/runHuntingQuery", _HUNT, graph_security.run_hunting_query),
    Route("POST", "security/microsoft.graph.security.runHuntingQuery", _HUNT, graph_security.run_hunting_query),
)


def least_permissions() -> frozenset[str]:
    """The least privileged permissions of every route: what the lab grants its application unless withheld."""
    return frozenset().union(*(route.least() for route in ROUTES))
