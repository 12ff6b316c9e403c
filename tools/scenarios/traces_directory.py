"""What the directory writes down: consent, ways to answer MFA, and reads through the old directory API."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from tools.scenarios.devicecode import Flow
from tools.scenarios.story import Story, iso
from tools.scenarios.traces import audit
from tools.scenarios.world import App, Json, Person, Place, Row


def _property(name: str, old: str | None, new: str) -> Json:
    return {"displayName": name, "oldValue": json.dumps(old) if old is not None else None, "newValue": json.dumps(new)}


def consent(s: Story, who: Person, at: datetime, app: App, scope: str, place: Place) -> str:
    """A user's consent: two audit rows, the service principal and the grant. Returns the service principal's id."""
    principal, resource = s.guid(), s.guid()
    client: Json = {
        "id": principal,
        "displayName": app.name,
        "type": "ServicePrincipal",
        "modifiedProperties": [
            _property("ConsentContext.IsAdminConsent", None, "False"),
            _property(
                "ConsentAction.Permissions",
                None,
                f"[] => [[Id: {s.token_id()}, ClientId: {principal}, PrincipalId: {who.id}, ResourceId: {resource}, "
                f"ConsentType: Principal, Scope: {scope}, CreatedDateTime: , LastModifiedDateTime ]]",
            ),
            _property("TargetId.ServicePrincipalNames", None, app.id),
        ],
    }
    graph: Json = {
        "id": resource,
        "displayName": "Microsoft Graph",
        "type": "ServicePrincipal",
        "modifiedProperties": [
            _property("DelegatedPermissionGrant.Scope", None, f" {scope}"),
            _property("DelegatedPermissionGrant.ConsentType", None, "Principal"),
            _property("DelegatedPermissionGrant.PrincipalId", None, who.id),
            _property("ServicePrincipal.ObjectID", None, principal),
        ],
    }
    core(audit(s, "Add delegated permission grant", who, at, [graph], place=place))
    core(audit(s, "Consent to application", who, at + timedelta(seconds=1), [client], place=place))
    s.directory["servicePrincipals"].append({"id": principal, "appId": app.id, "displayName": app.name})
    s.directory["oauth2PermissionGrants"].append(
        {
            "id": s.token_id(),
            "clientId": principal,
            "consentType": "Principal",
            "principalId": who.id,
            "resourceId": resource,
            "scope": scope,
        }
    )
    return principal


def core(row: Row) -> Row:
    """Mark an audit row as one of Core Directory about applications."""
    row.update(Category="ApplicationManagement", LoggedByService="Core Directory")
    return row


def security_info(s: Story, who: Person, at: datetime, method: str, place: Place) -> Row:
    """A new way to answer MFA: the audit row, and the method in the directory."""
    target: Json = {"id": who.id, "userPrincipalName": who.upn, "type": "User", "modifiedProperties": []}
    row = audit(s, "User registered security info", who, at, [target], place=place)
    row.update(
        Category="UserManagement", LoggedByService="Authentication Methods", ResultReason=f"User registered {method}"
    )
    kinds = {
        "Authenticator App with Notification": "microsoftAuthenticatorAuthenticationMethod",
        "Authenticator App with Code": "softwareOathAuthenticationMethod",
    }
    s.methods[who.id].append(
        {"@odata.type": f"#microsoft.graph.{kinds[method]}", "id": s.guid(), "createdDateTime": iso(at)}
    )
    return row


def directory_reads(
    s: Story, who: Person, at: datetime, app: App, place: Place, agent: str, flow: Flow, *paths: str
) -> None:
    """AADGraphActivityLogs: the old directory API, which the recon tools still speak."""
    for path in paths:
        s.add(
            "AADGraphActivityLogs",
            {
                "TimeGenerated": iso(at),
                "TimeRequested": iso(at),
                "RequestId": s.guid(),
                "RequestMethod": "GET",
                "RequestUri": f"https://graph.windows.net/contoso.com{path}",
                "ApiVersion": "1.61-internal" if "internal" in path else "1.6",
                "ResponseStatusCode": 200,
                "ResponseSizeBytes": s.rng.randint(2_000, 400_000),
                "DurationMs": s.rng.randint(40, 1_400),
                "ActorType": "User",
                "AppId": app.id,
                "UserId": who.id,
                "CallerIpAddress": place.ip,
                "UserAgent": agent,
                "SignInActivityId": flow.token,
                "SessionId": flow.session,
                "ClientAuthMethod": "0",
                "Scopes": "user_impersonation",
            },
        )
        at += timedelta(seconds=s.rng.randint(2, 20))
