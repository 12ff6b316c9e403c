"""One realistic sign-in row each, for SigninLogs and AADNonInteractiveUserSignInLogs.

The two tables share their names but not their types: what is dynamic in the first is a string that holds JSON in
the second. https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from tools.scenarios.story import Story, iso
from tools.scenarios.world import CONTOSO, FABRIKAM, App, Device, Json, Person, Place, Row

SIGN_INS = "SigninLogs"
NON_INTERACTIVE = "AADNonInteractiveUserSignInLogs"
_DYNAMIC = ("DeviceDetail", "LocationDetails", "Status", "ConditionalAccessPolicies", "MfaDetail")
_REASONS = {
    "0": "",
    "50126": "Error validating credentials due to invalid username or password.",
    "50074": "Strong Authentication is required.",
    "50097": "Device Authentication is required.",
    "50140": "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
    "50199": "For security reasons, user confirmation is required for this request.",
    "500121": "Authentication failed during strong authentication request.",
    "53003": "Access has been blocked by Conditional Access policies.",
    "70019": "Verification code expired.",
    "70044": "The session has expired or is invalid due to sign-in frequency checks by conditional access.",
}


@dataclass(frozen=True)
class Risk:
    """The risk columns of a row. `hidden` is what a tenant without P2 sees."""

    during: str = "none"
    aggregated: str = "none"
    state: str = "none"
    detail: str = "none"
    types: tuple[str, ...] = ()


NO_RISK = Risk()
HIDDEN = Risk("hidden", "hidden", "none", "hidden")


def at_risk(level: str, *types: str) -> Risk:
    return Risk(level, level, "atRisk", "none", types)


@dataclass(frozen=True)
class Ids:
    """What ties rows together. An empty identifier is left empty in the row."""

    correlation: str
    session: str
    original: str = ""


def new_ids(s: Story) -> Ids:
    return Ids(s.guid(), s.guid())


@dataclass(frozen=True)
class Kind:
    """How a token was asked for."""

    protocol: str = "oAuth2"
    transfer: str = "none"
    incoming: str = "none"
    client: str = "Browser"
    mfa: bool = False
    processing: tuple[tuple[str, str], ...] = field(default=())


PRT = Kind(incoming="primaryRefreshToken")
BROWSER = Kind(mfa=True)
REFRESH = Kind("none", "none", "refreshToken", "Mobile Apps and Desktop clients")
APPROVE = Kind("deviceCode", "none", "none", "Mobile Apps and Desktop clients", mfa=True)
APPROVE_MARKED = Kind("deviceCode", "deviceCodeFlow", "none", "Mobile Apps and Desktop clients", mfa=True)
REDEEM = Kind("none", "deviceCodeFlow", "none", "Mobile Apps and Desktop clients")
REDEEMED_REFRESH = Kind("none", "deviceCodeFlow", "refreshToken", "Mobile Apps and Desktop clients")
REDEEMED_PRT = Kind("none", "deviceCodeFlow", "primaryRefreshToken", "Mobile Apps and Desktop clients")
DEVICE_REGISTRATION = Kind(
    "none",
    "deviceCodeFlow",
    "refreshToken",
    "Mobile Apps and Desktop clients",
    processing=(("Oauth Scope Info", '["adrs_access"]'),),
)


def _tenants(who: Person) -> Row:
    if not who.guest:
        return {"HomeTenantId": CONTOSO, "CrossTenantAccessType": "none"}
    return {"HomeTenantId": FABRIKAM, "HomeTenantName": "Fabrikam", "CrossTenantAccessType": "b2bCollaboration"}


def _status(result: str, *, mfa: bool) -> Json:
    status: dict[str, Json] = {"errorCode": int(result)}
    if result != "0":
        status["failureReason"] = _REASONS[result]
    elif mfa:
        status["additionalDetails"] = "MFA completed in Azure AD"
    return status


def sign_in(
    s: Story,
    table: str,
    who: Person,
    at: datetime,
    place: Place,
    device: Device,
    app: App,
    resource: App,
    kind: Kind = BROWSER,
    *,
    ids: Ids | None = None,
    result: str = "0",
    risk: Risk = NO_RISK,
    policies: tuple[tuple[str, str], ...] = (),
) -> Row:
    """Add one sign-in row to `table` and give it back."""
    ids = ids or new_ids(s)
    row_id = s.guid()
    row: Row = {
        "TimeGenerated": iso(s.arrival(at)),
        "CreatedDateTime": iso(at),
        "Id": row_id,
        "OriginalRequestId": ids.original or row_id,
        "CorrelationId": ids.correlation,
        "SessionId": ids.session,
        "UniqueTokenIdentifier": s.token_id(),
        "UserId": who.id,
        "UserPrincipalName": who.logged_upn,
        "UserDisplayName": who.name,
        "UserType": "Guest" if who.guest else "Member",
        "ResourceTenantId": CONTOSO,
        "AADTenantId": CONTOSO,
        **_tenants(who),
        "AppId": app.id,
        "AppDisplayName": app.name,
        "ResourceIdentity": resource.id,
        "ResourceDisplayName": resource.name,
        "ClientAppUsed": kind.client,
        "IsInteractive": table == SIGN_INS,
        "AuthenticationProtocol": kind.protocol,
        "OriginalTransferMethod": kind.transfer,
        "IncomingTokenType": kind.incoming,
        "AuthenticationRequirement": "multiFactorAuthentication" if kind.mfa else "singleFactorAuthentication",
        "ResultType": result,
        "ResultSignature": "SUCCESS" if result == "0" and table == SIGN_INS else "None",
        "ResultDescription": _REASONS[result],
        "Status": _status(result, mfa=kind.mfa),
        "IPAddress": place.ip,
        "AutonomousSystemNumber": place.asn,
        "Location": place.country,
        "LocationDetails": place.details,
        "DeviceDetail": device.detail,
        "UserAgent": device.user_agent,
        "RiskLevelDuringSignIn": risk.during,
        "RiskLevelAggregated": risk.aggregated,
        "RiskState": risk.state,
        "RiskDetail": risk.detail,
        "ConditionalAccessStatus": "failure" if result == "53003" else "success",
    }
    _optional(row, at, kind, result, risk, policies)
    if table == NON_INTERACTIVE:
        for name in _DYNAMIC:
            if name in row:
                row[name] = json.dumps(row[name])
    return s.add(table, row)


def _optional(
    row: Row, at: datetime, kind: Kind, result: str, risk: Risk, policies: tuple[tuple[str, str], ...]
) -> None:
    """Columns that only some rows fill."""
    if risk.types:
        row["RiskEventTypes_V2"] = json.dumps(list(risk.types))
    if policies:
        row["ConditionalAccessPolicies"] = [{"displayName": name, "result": outcome} for name, outcome in policies]
    if kind.processing:
        row["AuthenticationProcessingDetails"] = json.dumps([{"key": k, "value": v} for k, v in kind.processing])
    if kind.mfa and result == "0":
        step = {
            "authenticationStepDateTime": iso(at),
            "authenticationMethod": "Mobile app notification",
            "succeeded": True,
        }
        row["AuthenticationDetails"] = json.dumps([step])
