"""The seed's attack, in which the attacker has also dug in: a device, a method, a consent and an inbox rule."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from respond.lab import scenario
from respond.settings import shipped_config

USER_ID = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
UPN = "target.user@contoso.com"
ATTACKER, OFFICE = "185.220.101.47", "203.0.113.24"
SESSION = "00c0ffee-7a11-4d0e-9a54-0f5a1c0e0001"
DEVICE, METHOD = "de000000-0000-4000-8000-000000000001", "3179e48a-750b-4051-897c-87b9720928f7"
GRANT, CLIENT, RESOURCE = (
    "AAAAwQAAAECAAAAAAAAAAQAAAKEAAABAgAAAAAAAAAFSCh99Dm0cTJtUD1ocDnoR",
    "c1000000-0000-4000-8000-000000000001",
    "a1000000-0000-4000-8000-000000000001",
)
RULE = "AQAAAJ5dZp8="
PHONE, PRINCIPAL = "de000000-0000-4000-8000-0000000000aa", "c2000000-0000-4000-8000-000000000001"
APPLICATION, CLIENT_ID = "c2000000-0000-4000-8000-000000000002", "c2000000-0000-4000-8000-000000000003"
ROLE, SECRETS = "194ae4cb-b126-40b2-bd5b-6091b380977d", "Update application \u2013 Certificates and secrets management "
SECRET, ASSIGNMENT = "c2000000-0000-4000-8000-000000000004", "c2000000-0000-4000-8000-000000000005"
OWN_DEVICE = "d1000000-0000-4000-8000-000000000001"
DUG_IN = "2026-01-15T09:28:00Z"
REVOKE = "POST */revokeSignInSessions"


def _audit(number: int, what: str, ip: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return {
        "TimeGenerated": DUG_IN,
        "ActivityDateTime": DUG_IN,
        "Id": f"Directory_{number}",
        "OperationName": what,
        "Result": "success",
        "InitiatedBy": {"user": {"id": USER_ID, "userPrincipalName": UPN, "ipAddress": ip}},
        "TargetResources": list(targets),
    }


def device(object_id: str = DEVICE, at: str = DUG_IN, name: str = "DESKTOP-EVIL") -> dict[str, Any]:
    """A device of the user, as the directory holds it."""
    return {
        "id": object_id,
        "deviceId": object_id.replace("de", "ef", 1),
        "displayName": name,
        "accountEnabled": True,
        "operatingSystem": "Windows",
        "trustType": "AzureAd",
        "registrationDateTime": at,
        "registeredOwners": [USER_ID],
        "registeredUsers": [USER_ID],
    }


def dig_deeper(directory: dict[str, Any]) -> None:
    """A phone that cannot be disabled, an application, a secret of an older one, and a role. Logs: `DEEPER`."""
    directory["devices"].append(device(PHONE, name="Pixel 6") | {"operatingSystem": "Android"})
    directory["servicePrincipals"] = [
        *directory.get("servicePrincipals", []),
        {"id": PRINCIPAL, "appId": CLIENT_ID, "displayName": "Contoso Archive", "accountEnabled": True},
    ]
    secret = {"keyId": SECRET, "displayName": "night", "startDateTime": DUG_IN}
    directory["applications"] = [
        {"id": APPLICATION, "appId": SECRET, "displayName": "Contoso Backup", "passwordCredentials": [secret]}
    ]
    directory["roleAssignments"].append({"id": ASSIGNMENT, "principalId": PRINCIPAL, "roleDefinitionId": ROLE})


def deeper(ip: str = ATTACKER) -> list[dict[str, Any]]:
    """What the logs say about it."""
    role = [{"displayName": "Role.TemplateId", "newValue": f'"{ROLE}"'}]
    key = [
        {
            "displayName": "KeyDescription",
            "oldValue": "[]",
            "newValue": f'["[KeyIdentifier={SECRET},KeyType=Password]"]',
        }
    ]
    return [
        _audit(11, "Register device", ip, {"id": PHONE, "type": "Device"}),
        _audit(12, "Add service principal", ip, {"id": PRINCIPAL, "type": "ServicePrincipal"}),
        _audit(13, SECRETS, ip, {"id": APPLICATION, "type": "Application", "modifiedProperties": key}),
        _audit(14, "Add member to role", ip, {"id": PRINCIPAL, "type": "ServicePrincipal", "modifiedProperties": role}),
    ]


def write_story(
    folder: Path,
    *,
    ip: str = ATTACKER,
    edit: Callable[[dict[str, Any]], None] = lambda _: None,
    rows: dict[str, list[dict[str, Any]]] | None = None,
    happens: list[dict[str, Any]] | None = None,
) -> Path:
    """Write the story.

    Args:
        ip: from where the attacker, or somebody, dug in, as the logs say.
        edit: changes the directory.
        rows: of the story's tables, beyond its own.
    """
    place = Path(shutil.copytree(scenario.find("seed-true-positive"), folder / "story", dirs_exist_ok=True))
    directory = json.loads((place / "directory.json").read_text())
    directory["devices"].append(device())
    directory["authenticationMethods"][USER_ID] = [
        {
            "@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod",
            "id": METHOD,
            "displayName": "Pixel 6",
            "createdDateTime": DUG_IN,
        },
        {
            "@odata.type": "#microsoft.graph.phoneAuthenticationMethod",
            "id": "3179e48a-750b-4051-897c-000000000000",
            "phoneNumber": "+1 5555550100",
            "phoneType": "mobile",
            "createdDateTime": "2024-01-01T00:00:00Z",
        },
    ]
    directory["oauth2PermissionGrants"] = [
        {
            "id": GRANT,
            "clientId": CLIENT,
            "consentType": "Principal",
            "principalId": USER_ID,
            "resourceId": RESOURCE,
            "scope": " Mail.ReadWrite offline_access",
        }
    ]
    rule = {"id": RULE, "displayName": "..", "sequence": 1, "isEnabled": True, "hasError": False, "isReadOnly": False}
    directory["messageRules"][USER_ID] = [rule]
    edit(directory)
    (place / "directory.json").write_text(json.dumps(directory))
    changed = [{"displayName": "ServicePrincipal.ObjectID", "oldValue": None, "newValue": f'"{CLIENT}"'}]
    _append(
        place / "AuditLogs.jsonl",
        _audit(1, "Register device", ip, {"id": DEVICE, "type": "Device"}),
        _audit(2, "User registered security info", ip, {"id": USER_ID, "type": "User"}),
        _audit(3, "Add delegated permission grant", ip, {"id": RESOURCE, "modifiedProperties": changed}),
    )
    made = {
        "TimeGenerated": DUG_IN,
        "OfficeId": "80e94fff-08c7-4ccb-b8cc-2b450219fa47",
        "OfficeWorkload": "Exchange",
        "Operation": "New-InboxRule",
        "UserId": UPN,
        "ClientIP": ip,
        "Parameters": json.dumps([{"Name": "Name", "Value": ".."}, {"Name": "MoveToFolder", "Value": "RSS Feeds"}]),
    }
    _append(place / "OfficeActivity.jsonl", made)
    for table, more in (rows or {}).items():
        _append(place / f"{table}.jsonl", *more)
    if happens:
        (place / "happens.json").write_text(json.dumps(happens))
    return place


def from_now(**length: float) -> str:
    """A time in the story that lies so far from when it is loaded."""
    now = datetime(2026, 1, 15, 9, 40, tzinfo=UTC) + timedelta(**length)
    return now.isoformat().replace("+00:00", "Z")


def refreshed(at: str, number: int = 1) -> dict[str, Any]:
    """A token that was issued in the attacker's session."""
    seed = scenario.find("seed-true-positive") / "AADNonInteractiveUserSignInLogs.jsonl"
    first = json.loads(seed.read_text().splitlines()[0])
    return {
        **first,
        "TimeGenerated": at,
        "CreatedDateTime": at,
        "Id": f"e0000000-0000-4000-8000-0000000001{number:02d}",
        "IncomingTokenType": "refreshToken",
        "UniqueTokenIdentifier": f"AQAAAAAAAECAAAAAAAAR1{number}",
    }


UNLIMITED = {"per_run": 1_000_000, "per_hour": 1_000_000, "share_at_least": 1_000_000}
"""Limits for a story in which hundreds are phished in an hour, and all of them are to be contained."""


def policy(folder: Path, **ladder: Any) -> Path:
    """A configuration whose ladder is another: `malicious={"confirm_user": "auto"}`, `watch=["2s"]`."""
    place = folder / "config"
    place.mkdir(exist_ok=True)
    lines = (shipped_config() / "ladder.toml").read_text().splitlines()
    section = ""
    told: list[str] = []
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]").removeprefix("ladder").strip(".")
        name = line.partition(" =")[0]
        given = ladder.get(section, {}) if section else ladder
        told.append(f"{name} = {json.dumps(given[name])}" if " =" in line and name in given else line)
    (place / "ladder.toml").write_text("\n".join(told) + "\n")
    (place / "respond.toml").write_text((shipped_config() / "respond.toml").read_text())
    return place


def _append(file: Path, *rows: dict[str, Any]) -> None:
    with file.open("a") as end:
        end.writelines(json.dumps(row) + "\n" for row in rows)
