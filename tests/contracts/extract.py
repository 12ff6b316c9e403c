"""Write `graph.json`: what Microsoft's OpenAPI description of Graph v1.0 says about the operations that respond uses.

    python -m tests.contracts.extract

Microsoft generates msgraph-sdk from that description (microsoftgraph/msgraph-metadata, openapi/v1.0, MIT), one builder
a path; the description itself is 35 MB. So the paths, query options and bodies are read off the builders.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.audit_logs.sign_ins.confirm_compromised import confirm_compromised_post_request_body as sign_ins
from msgraph.generated.identity_protection.risky_users.confirm_compromised import (
    confirm_compromised_post_request_body as risky,
)
from msgraph.generated.identity_protection.risky_users.dismiss import dismiss_post_request_body as dismissed
from msgraph.generated.models.device import Device
from msgraph.generated.models.message_rule import MessageRule
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.unified_role_assignment import UnifiedRoleAssignment
from msgraph.generated.models.user import User
from msgraph.generated.security.microsoft_graph_security_run_hunting_query import (
    run_hunting_query_post_request_body as hunting,
)
from msgraph.graph_service_client import GraphServiceClient

from respond.clients.graph_holdings import METHODS
from tests.clients.test_graph_client import Credential

TARGET = Path(__file__).with_name("graph.json")


def main() -> None:
    """Write the file anew."""
    credential: Any = Credential()
    sdk = GraphServiceClient(credential, scopes=["https://graph.microsoft.com/.default"])
    user = sdk.users.by_user_id("x")
    rules = user.mail_folders.by_mail_folder_id("x").message_rules
    roles = sdk.role_management.directory.role_assignments
    added = [
        sdk.service_principals.by_service_principal_id("x"),
        sdk.service_principals_with_app_id("x"),
        sdk.applications.by_application_id("x"),
        sdk.applications_with_app_id("x"),
        sdk.directory_objects.by_directory_object_id("x"),
        sdk.oauth2_permission_grants,
        roles,
        roles.by_unified_role_assignment_id("x"),
    ]
    reads = [
        *added,
        sdk.users,
        sdk.users.count,
        user,
        user.transitive_member_of,
        user.registered_devices,
        user.owned_devices,
        user.authentication.methods,
        user.oauth2_permission_grants,
        rules,
        rules.by_message_rule_id("x"),
        sdk.devices.by_device_id("x"),
        sdk.oauth2_permission_grants.by_o_auth2_permission_grant_id("x"),
        sdk.identity_protection.risky_users.by_risky_user_id("x"),
    ]
    writes: list[tuple[str, Any, Any]] = [
        ("POST", user.revoke_sign_in_sessions, None),
        ("PATCH", user, User),
        ("PATCH", sdk.devices.by_device_id("x"), Device),
        ("PATCH", rules.by_message_rule_id("x"), MessageRule),
        ("DELETE", sdk.devices.by_device_id("x"), None),
        ("PATCH", sdk.service_principals.by_service_principal_id("x"), ServicePrincipal),
        ("POST", sdk.applications.by_application_id("x").remove_password, RemovePasswordPostRequestBody),
        ("DELETE", roles.by_unified_role_assignment_id("x"), None),
        ("POST", roles, UnifiedRoleAssignment),
        ("DELETE", sdk.oauth2_permission_grants.by_o_auth2_permission_grant_id("x"), None),
        ("POST", sdk.oauth2_permission_grants, OAuth2PermissionGrant),
        ("POST", sdk.identity_protection.risky_users.confirm_compromised, risky.ConfirmCompromisedPostRequestBody),
        ("POST", sdk.identity_protection.risky_users.dismiss, dismissed.DismissPostRequestBody),
        ("POST", sdk.audit_logs.sign_ins.confirm_compromised, sign_ins.ConfirmCompromisedPostRequestBody),
        (
            "POST",
            sdk.security.microsoft_graph_security_run_hunting_query,
            hunting.RunHuntingQueryPostRequestBody,
        ),
    ]
    for collection, by_id in METHODS.values():
        writes.append(("DELETE", getattr(getattr(user.authentication, collection), by_id)("x"), None))
    # The reference of an external method: the SDK has no builder for it, the page of the operation does.
    external = _operation(
        "DELETE", user.authentication.external_authentication_methods.by_external_authentication_method_id("x")
    )
    operations: dict[str, Any] = {f"{external}/$ref": {"query": [], "body": []}}
    operations |= {_operation("GET", one): {"query": _query(one), "body": []} for one in reads}
    operations |= {_operation(method, one): {"query": [], "body": _names(kind)} for method, one, kind in writes}
    place = Path(GraphServiceClient.__init__.__code__.co_filename).parent
    lock = json.loads((place / "generated" / "kiota-lock.json").read_text())
    told = {
        "source": "https://github.com/microsoftgraph/msgraph-metadata, openapi/v1.0",
        "license": "MIT",
        "through": f"msgraph-sdk {version('msgraph-sdk')}, generated by kiota {lock['kiotaVersion']}",
        "description_sha512": lock["descriptionHash"],
        "user": _names(User),
        "filtered": sorted({*_names(OAuth2PermissionGrant), *_names(UnifiedRoleAssignment)}),
        "operations": dict(sorted(operations.items())),
    }
    TARGET.write_text(json.dumps(told, indent=1) + "\n")


def _operation(method: str, builder: Any) -> str:
    path = unquote(builder.url_template.removeprefix("{+baseurl}").partition("{?")[0])
    return f"{method} {path}"


def _query(builder: Any) -> list[str]:
    found = re.search(r"\{\?([^}]*)\}", builder.url_template)
    return sorted(unquote(name).rstrip("*") for name in found[1].split(",")) if found else []


def _names(kind: Any) -> list[str]:
    return sorted(kind().get_field_deserializers()) if kind else []


if __name__ == "__main__":
    main()
