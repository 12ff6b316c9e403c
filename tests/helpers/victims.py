"""A tenant of many people who fell for the same thing: each approved at the office what a listed address redeemed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
OFFICE, ATTACKER = "203.0.113.10", "198.51.100.77"
_CLI = {"AppId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "AppDisplayName": "Microsoft Azure CLI"}


def user_id(number: int) -> str:
    """Object id of a victim."""
    return f"7d1f0a52-6d0e-4c1c-9b54-{number:012x}"


def upn(number: int) -> str:
    return f"victim{number}@contoso.com"


def incident_id(number: int) -> str:
    """Name of the incident about a victim."""
    return f"5e000000-0000-4000-8000-{number:012x}"


def write(folder: Path, count: int, incidents: Iterable[dict[str, Any]] = ()) -> Path:
    """Write the scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.json").write_text(json.dumps({"title": f"{count} victims", "now": _iso(NOW)}))
    users = [
        {
            "id": user_id(number),
            "userPrincipalName": upn(number),
            "displayName": f"Victim {number}",
            "mail": upn(number),
            "userType": "Member",
            "accountEnabled": True,
            "signInSessionsValidFromDateTime": _iso(NOW - timedelta(days=30)),
        }
        for number in range(count)
    ]
    (folder / "directory.json").write_text(json.dumps({"users": users}))
    if found := list(incidents):
        (folder / "incidents.json").write_text(json.dumps(found))
    approvals, redemptions = [], []
    for number in range(count):
        at = NOW - timedelta(minutes=20, seconds=number % 300)
        approvals.append(_row(number, "a", at, OFFICE, AuthenticationProtocol="deviceCode"))
        later = at + timedelta(seconds=9)
        redemptions.append(_row(number, "b", later, ATTACKER, OriginalTransferMethod="deviceCodeFlow"))
    _lines(folder / "SigninLogs.jsonl", approvals)
    _lines(folder / "AADNonInteractiveUserSignInLogs.jsonl", redemptions)
    _lines(folder / "ThreatIntelIndicators.jsonl", [_indicator()])
    return folder


def _row(number: int, leg: str, at: datetime, ip: str, **more: Any) -> dict[str, Any]:
    return {
        "TimeGenerated": _iso(at + timedelta(minutes=2)),
        "CreatedDateTime": _iso(at),
        "Id": f"{leg}{number:07x}-0000-4000-8000-000000000001",
        "CorrelationId": f"c0{number:06x}-0000-4000-8000-000000000001",
        "SessionId": f"5e{number:06x}-0000-4000-8000-000000000001",
        "UserId": user_id(number),
        "UserPrincipalName": upn(number),
        "ResultType": "0",
        "IPAddress": ip,
        "AutonomousSystemNumber": "64500",
        "Location": "US",
        "UserAgent": "Mozilla/5.0" if leg == "a" else "python-requests/2.32.3",
        **_CLI,
        **more,
    }


def _indicator() -> dict[str, Any]:
    return {
        "TimeGenerated": _iso(NOW - timedelta(days=1)),
        "Id": "indicator--1",
        "ObservableKey": "ipv4-addr:value",
        "ObservableValue": ATTACKER,
        "Confidence": 90,
        "IsActive": True,
        "IsDeleted": False,
        "Revoked": False,
        "ValidFrom": _iso(NOW - timedelta(days=1)),
        "ValidUntil": _iso(NOW + timedelta(days=30)),
        "Tags": "Tor exit node",
    }


def _lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
