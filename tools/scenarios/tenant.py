"""What is true of a whole tenant: licences, named locations, who is who, and Defender's own table of sign-ins."""

from __future__ import annotations

import json
from datetime import timedelta

from tools.scenarios.rows import NON_INTERACTIVE, SIGN_INS
from tools.scenarios.story import Story, iso
from tools.scenarios.world import CONTOSO, Json, Person, Place, Row

_LEVELS = {"none": 1, "low": 10, "medium": 50, "high": 100}


def _sign_ins(s: Story) -> list[Row]:
    return [row for table in (SIGN_INS, NON_INTERACTIVE) for row in s.tables.get(table, [])]


def without_p2(s: Story) -> None:
    """No Entra ID P2: every row says hidden, and there is no list of risky users."""
    s.directory.pop("riskyUsers", None)
    for row in _sign_ins(s):
        row.update(RiskLevelDuringSignIn="hidden", RiskLevelAggregated="hidden", RiskDetail="hidden", RiskState="none")
        row.pop("RiskEventTypes_V2", None)


def without_marks(s: Story) -> None:
    """Protocol and transfer method are never filled in, as some tenants see it."""
    for row in _sign_ins(s):
        row.update(AuthenticationProtocol="none", OriginalTransferMethod="none")


def named_location(s: Story, name: str, *places: Place) -> None:
    """A trusted named location: every sign-in from these addresses carries it."""
    addresses = {place.ip for place in places}
    for row in _sign_ins(s):
        if row["IPAddress"] in addresses:
            row["NetworkLocationDetails"] = json.dumps(
                [{"networkType": "trustedNamedLocation", "networkNames": [name]}]
            )


def identity(
    s: Story,
    who: Person,
    *,
    roles: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    tags: str = "",
    blast: str = "Low",
    service: bool = False,
    created: str = "2023-05-15T08:00:00Z",
    country: str = "",
) -> None:
    """Two snapshots of IdentityInfo, as UEBA writes them every fortnight."""
    for ago in (15, 1):
        s.add(
            "IdentityInfo",
            {
                "TimeGenerated": iso(s.now - timedelta(days=ago, hours=3)),
                "AccountObjectId": who.id,
                "AccountUPN": who.upn,
                "AccountDisplayName": who.name,
                "AccountName": who.upn.split("@")[0],
                "AccountTenantId": CONTOSO,
                "AccountCreationTime": created,
                "MailAddress": who.address,
                "Department": who.department,
                "JobTitle": who.job,
                "Country": country,
                "AssignedRoles": list(roles),
                "GroupMembership": list(groups),
                "Tags": tags,
                "BlastRadius": blast,
                "IsAccountEnabled": True,
                "IsServiceAccount": service,
                "IsMFARegistered": not service,
                "UserType": "Guest" if who.guest else "Member",
            },
        )


def risky_user(s: Story, who: Person, level: str, state: str, *, hours: int = 2, detail: str = "none") -> None:
    """A row of AADRiskyUsers, which Identity Protection writes when its mind changes."""
    at = iso(s.now - timedelta(hours=hours, minutes=11))
    s.add(
        "AADRiskyUsers",
        {
            "TimeGenerated": at,
            "Id": who.id,
            "UserPrincipalName": who.upn,
            "UserDisplayName": who.name,
            "RiskLevel": level,
            "RiskState": state,
            "RiskDetail": detail,
            "RiskLastUpdatedDateTime": at,
            "IsDeleted": False,
            "IsProcessing": False,
            "OperationName": "Risky user",
            "CorrelationId": s.guid(),
        },
    )


def in_defender(s: Story, who: Person, *confirmed: str) -> None:
    """EntraIdSignInEvents for every sign-in of `who`; `confirmed` are the Ids that went through the confirm page."""
    for table in (SIGN_INS, NON_INTERACTIVE):
        for row in s.tables.get(table, []):
            if row["UserId"] == who.id:
                s.add("EntraIdSignInEvents", _as_event(s, row, row["Id"] in confirmed, table == SIGN_INS))


def _object(value: Json) -> dict[str, Json]:
    """A dynamic column, in either of its two shapes."""
    found: dict[str, Json] = json.loads(value if isinstance(value, str) else json.dumps(value))
    return found


def _as_event(s: Story, row: Row, confirmed: bool, interactive: bool) -> Row:  # noqa: FBT001 - both are facts of the row
    device, place = _object(row["DeviceDetail"]), _object(row["LocationDetails"])
    call = "Cmsi:Cmsi" if confirmed else "OAuth2:Authorize" if interactive else "OAuth2:Token"
    event: dict[str, Json] = {
        "Timestamp": row["CreatedDateTime"],
        "Application": row["AppDisplayName"],
        "ApplicationId": row["AppId"],
        "LogonType": '["interactiveUser"]' if interactive else '["nonInteractiveUser"]',
        "EndpointCall": call,
        "ErrorCode": int(str(row["ResultType"])),
        "CorrelationId": row["CorrelationId"],
        "SessionId": row["SessionId"],
        "RequestId": row["Id"],
        "ReportId": s.guid(),
        "AccountDisplayName": row["UserDisplayName"],
        "AccountObjectId": row["UserId"],
        "AccountUpn": row["UserPrincipalName"],
        "IsExternalUser": 0,
        "IsGuestUser": False,
        "ResourceDisplayName": row["ResourceDisplayName"],
        "ResourceId": row["ResourceIdentity"],
        "ResourceTenantId": CONTOSO,
        "DeviceName": device["displayName"],
        "EntraIdDeviceId": device["deviceId"],
        "OSPlatform": device["operatingSystem"],
        "DeviceTrustType": device["trustType"],
        "IsManaged": int(device.get("isManaged") is True),
        "IsCompliant": int(device.get("isCompliant") is True),
        "AuthenticationRequirement": row["AuthenticationRequirement"],
        "TokenIssuerType": 0,
        "RiskLevelAggregated": _LEVELS.get(str(row["RiskLevelAggregated"]), 0),
        "RiskState": 4 if row["RiskState"] == "atRisk" else 0,
        "UserAgent": row["UserAgent"],
        "ClientAppUsed": row["ClientAppUsed"],
        "Browser": device["browser"],
        "ConditionalAccessStatus": 0,
        "IPAddress": row["IPAddress"],
        "Country": row["Location"],
        "State": place["state"],
        "City": place["city"],
    }
    return event
