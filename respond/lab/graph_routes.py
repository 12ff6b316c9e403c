"""Every Graph endpoint that the lab answers.

Permissions are application permissions, the least privileged first, from Microsoft's permissions reference
(https://learn.microsoft.com/graph/permissions-reference).
"""

from __future__ import annotations

from respond.lab import graph_security, graph_users
from respond.lab.graph_call import Route

_READ_USER = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_READ_RULES = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")
_READ_METHODS = ("UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All")
_READ_RISK = ("IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All")
_READ_GRANTS = (
    "Directory.Read.All",
    "DelegatedPermissionGrant.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.ReadWrite.All",
)
_READ_ROLES = (
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
    "Directory.Read.All",
    "RoleManagement.ReadWrite.Directory",
    "Directory.ReadWrite.All",
)
_REVOKE = ("User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All")

ROUTES = (
    Route("GET", "users", _READ_USER, graph_users.list_users),
    Route("GET", "users/{user}", _READ_USER, graph_users.get_user),
    Route("POST", "users/{user}/revokeSignInSessions", _REVOKE, graph_users.revoke_sessions, write=True),
    Route(
        "POST", "users/{user}/microsoft.graph.revokeSignInSessions", _REVOKE, graph_users.revoke_sessions, write=True
    ),
    Route("GET", "users/{user}/transitiveMemberOf", _READ_USER, graph_users.member_of),
    Route("GET", "users/{user}/registeredDevices", _READ_USER, graph_users.registered_devices),
    Route("GET", "users/{user}/ownedDevices", _READ_USER, graph_users.owned_devices),
    Route("GET", "users/{user}/oauth2PermissionGrants", _READ_GRANTS, graph_users.permission_grants),
    Route("GET", "users/{user}/mailFolders/inbox/messageRules", _READ_RULES, graph_users.message_rules),
    Route("GET", "users/{user}/authentication/methods", _READ_METHODS, graph_users.authentication_methods),
    Route("GET", "identityProtection/riskyUsers", _READ_RISK, graph_security.list_risky_users),
    Route("GET", "identityProtection/riskyUsers/{user}", _READ_RISK, graph_security.get_risky_user),
    Route("GET", "roleManagement/directory/roleAssignments", _READ_ROLES, graph_security.role_assignments),
    Route("POST", "security/runHuntingQuery", ("ThreatHunting.Read.All",), graph_security.run_hunting_query),
    Route(
        "POST",
        "security/microsoft.graph.security.runHuntingQuery",
        ("ThreatHunting.Read.All",),
        graph_security.run_hunting_query,
    ),
)


def least_permissions() -> frozenset[str]:
    """The least privileged permission of every route: what the lab grants its application unless withheld."""
    return frozenset(route.permissions[0] for route in ROUTES)
