"""One realistic row each of what a token was used for: Graph, audit, Office."""

from __future__ import annotations

from datetime import datetime, timedelta

from tools.scenarios.devicecode import Flow
from tools.scenarios.inbox_rules import Rule, make_rule
from tools.scenarios.story import Story, iso
from tools.scenarios.world import CONTOSO, App, Device, Json, Person, Place, Row


def graph_calls(
    s: Story,
    who: Person,
    at: datetime,
    app: App,
    place: Place,
    device: Device,
    flow: Flow,
    *calls: str,
    scopes: str = "",
) -> None:
    """Graph requests with the tokens of a flow, about half a minute apart. A call is `METHOD path` or `path`."""
    for call in calls:
        method, path = call.split(" ", 1) if " " in call.split("/", 1)[0] else ("GET", call)
        s.add(
            "MicrosoftGraphActivityLogs",
            {
                "TimeGenerated": iso(at),
                "RequestId": s.guid(),
                "ApiVersion": "v1.0",
                "RequestMethod": method,
                "RequestUri": f"https://graph.microsoft.com/v1.0{path}",
                "ResponseStatusCode": 201 if method == "POST" else 200,
                "DurationMs": s.rng.randint(30, 900),
                "ResponseSizeBytes": s.rng.randint(900, 240_000),
                "AadTenantId": CONTOSO,
                "AppId": app.id,
                "UserId": who.id,
                "IPAddress": place.ip,
                "UserAgent": device.user_agent,
                "SignInActivityId": flow.token,
                "UniqueTokenId": flow.token,
                "SessionId": flow.session,
                "Scopes": scopes or "Directory.AccessAsUser.All User.ReadWrite.All",
            },
        )
        at += timedelta(seconds=s.rng.randint(12, 45))


def audit(
    s: Story,
    operation: str,
    who: Person,
    at: datetime,
    targets: list[Json],
    *,
    agent: str = "",
    place: Place | None = None,
) -> Row:
    """One AuditLogs row that the user started."""
    user: dict[str, Json] = {"id": who.id, "userPrincipalName": who.upn, "ipAddress": place.ip if place else ""}
    return s.add(
        "AuditLogs",
        {
            "TimeGenerated": iso(s.arrival(at)),
            "ActivityDateTime": iso(at),
            "Id": f"Directory_{s.guid()}",
            "CorrelationId": s.guid(),
            "OperationName": operation,
            "ActivityDisplayName": operation,
            "Category": "Device",
            "LoggedByService": "Device Registration Service",
            "AADOperationType": "Add",
            "Result": "success",
            "ResultReason": "",
            "Identity": "Device Registration Service" if agent else who.name,
            "InitiatedBy": {"user": user},
            "TargetResources": targets,
            "AdditionalDetails": [{"key": "User-Agent", "value": agent}] if agent else [],
        },
    )


def device_registered(s: Story, who: Person, at: datetime, device: Device, agent: str, place: Place) -> None:
    """The four audit rows that a join leaves."""
    target: Json = {"id": device.id, "displayName": device.name, "type": "Device", "modifiedProperties": []}
    owner: Json = {"id": who.id, "userPrincipalName": who.upn, "type": "User", "modifiedProperties": []}
    audit(s, "Add device", who, at, [target], agent=agent, place=place)
    audit(
        s, "Add registered owner to device", who, at + timedelta(seconds=1), [owner, target], agent=agent, place=place
    )
    audit(
        s, "Add registered users to device", who, at + timedelta(seconds=1), [owner, target], agent=agent, place=place
    )
    audit(s, "Register device", who, at + timedelta(seconds=2), [target], agent=agent, place=place)


def inbox_rule(s: Story, who: Person, at: datetime, name: str, words: list[str], place: Place, session: str) -> None:
    """A rule that hides answers."""
    said = {"SubjectOrBodyContainsWords": ";".join(words), "MoveToFolder": "RSS Feeds", "MarkAsRead": "True"}
    actions: Json = {"moveToFolder": "RSS Feeds", "markAsRead": True, "stopProcessingRules": True}
    make_rule(s, who, at, Rule(name, said, {"bodyOrSubjectContains": words}, actions), place, session)


def mail_read(s: Story, who: Person, at: datetime, app: App, place: Place, session: str) -> None:
    """MailItemsAccessed: what the token was used for."""
    s.add(
        "OfficeActivity",
        {
            "TimeGenerated": iso(at),
            "OfficeId": s.guid(),
            "OfficeWorkload": "Exchange",
            "RecordType": "ExchangeItemAggregated",
            "Operation": "MailItemsAccessed",
            "ResultStatus": "Succeeded",
            "UserId": who.logged_upn,
            "MailboxOwnerUPN": who.upn,
            "ClientIP": place.ip,
            "Client_IPAddress": place.ip,
            "ClientInfoString": "Client=REST;Client=RESTSystem;;",
            "ClientAppId": app.id,
            "OperationProperties": [
                {"Name": "MailAccessType", "Value": "Bind"},
                {"Name": "IsThrottled", "Value": "False"},
            ],
            "AppAccessContext": {"AADSessionId": session},
            "ExternalAccess": "false",
        },
    )
