"""A tenant told person by person: who fell for a code and when, and the incidents about it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.helpers.victims import ATTACKER, NOW, OFFICE

Entity = dict[str, Any]
_NAMES = uuid.UUID("3d1b9a52-0000-4000-8000-0000000000aa")


def guid(name: str) -> str:
    """The same GUID for the same name, here and there."""
    return str(uuid.uuid5(_NAMES, name))


def upn(name: str) -> str:
    return f"{name}@contoso.com"


def account(name: str, **properties: Any) -> Entity:
    """An account as Sentinel lists it; the object id alone, unless told otherwise."""
    return {"kind": "Account", "properties": properties or {"aadUserId": guid(name)}}


class Tale:
    """Rows, people and incidents, to be written as a scenario.

    Args:
        now: the present of the tale; the lab moves it to the real one.
    """

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now.replace(microsecond=0)
        self.users: list[dict[str, Any]] = []
        self.incidents: list[dict[str, Any]] = []
        self.approvals: list[dict[str, Any]] = []
        self.redemptions: list[dict[str, Any]] = []

    def user(self, name: str, **more: Any) -> None:
        """Somebody of the directory."""
        entry = {
            "id": guid(name),
            "userPrincipalName": upn(name),
            "displayName": name.title(),
            "mail": upn(name),
            "userType": "Member",
            "accountEnabled": True,
            "signInSessionsValidFromDateTime": iso(self.now - timedelta(days=30)),
        }
        self.users.append(entry | more)

    def phished(
        self, name: str, *, ago: timedelta = timedelta(minutes=20), arrived: timedelta | None = None, sign_in: str = ""
    ) -> None:
        """Approved at the office what a listed address redeemed.

        Args:
            arrived: how long ago the rows came; two minutes after it happened unless told.
            sign_in: what tells this sign-in from others of the same person.
        """
        at = self.now - ago
        came = at + timedelta(minutes=2) if arrived is None else self.now - arrived
        mine = f"{name}|{sign_in}"
        self.approvals.append(_row(name, mine, "approval", at, came, OFFICE, AuthenticationProtocol="deviceCode"))
        redeemed = at + timedelta(seconds=9)
        marked = {"OriginalTransferMethod": "deviceCodeFlow"}
        self.redemptions.append(_row(name, mine, "redemption", redeemed, came, ATTACKER, **marked))

    def tried(self, name: str, *, ago: timedelta = timedelta(minutes=5)) -> None:
        """Did not come to the end of a device code sign-in: the code had expired."""
        at, mine = self.now - ago, f"{name}|tried"
        marked = {"AuthenticationProtocol": "deviceCode", "ResultType": "70019"}
        self.approvals.append(_row(name, mine, "approval", at, at, OFFICE, **marked))

    def incident(
        self,
        name: str,
        *entities: Entity,
        after: float = 0,
        window: tuple[float, float] = (40, 5),
        **properties: Any,
    ) -> None:
        """An incident with one alert.

        Args:
            after: seconds until its entities are listed.
            window: what its alert looked at, as minutes before the present.
        """
        start, end = (iso(self.now - timedelta(minutes=minutes)) for minutes in window)
        times = {"startTimeUtc": start, "endTimeUtc": end}
        alert = {"kind": "SecurityAlert", "properties": {"systemAlertId": guid(f"alert {name}"), **times}}
        said = {
            "title": f"Device code sign-in: {name}",
            "severity": "Medium",
            "status": "New",
            "firstActivityTimeUtc": start,
            "lastActivityTimeUtc": end,
        }
        self.incidents.append(
            {
                "incident": {"name": guid(f"incident {name}"), "properties": said | properties},
                "entities": list(entities),
                "alerts": [alert],
                "entitiesAfter": after,
            }
        )

    def write(self, folder: Path, beside: Path | None = None) -> Path:
        """As a scenario in a folder.

        Args:
            beside: a scenario of the same present, whose people live in the same tenant.
        """
        directory: dict[str, Any] = {}
        if beside is not None:
            shutil.copytree(beside, folder)
            directory = json.loads((folder / "directory.json").read_text())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scenario.json").write_text(json.dumps({"title": "a tale", "now": iso(self.now)}))
        users = [*directory.get("users", []), *self.users]
        (folder / "directory.json").write_text(json.dumps(directory | {"users": users}))
        (folder / "incidents.json").write_text(json.dumps(self.incidents))
        _lines(folder / "SigninLogs.jsonl", self.approvals)
        _lines(folder / "AADNonInteractiveUserSignInLogs.jsonl", self.redemptions)
        _lines(folder / "ThreatIntelIndicators.jsonl", [_indicator(self.now)])
        return folder


def now_of(story: Path) -> datetime:
    """The present of a scenario."""
    return datetime.fromisoformat(json.loads((story / "scenario.json").read_text())["now"])


def real_now() -> datetime:
    """The present, for a tale whose times are meant as they stand."""
    return datetime.now(UTC).replace(microsecond=0)


def _row(name: str, sign_in: str, leg: str, at: datetime, came: datetime, ip: str, **more: Any) -> dict[str, Any]:
    return {
        "TimeGenerated": iso(came),
        "CreatedDateTime": iso(at),
        "Id": guid(f"{sign_in}|{leg}"),
        "CorrelationId": guid(f"{sign_in}|correlation"),
        "SessionId": guid(f"{sign_in}|session"),
        "UserId": guid(name),
        "UserPrincipalName": upn(name),
        "ResultType": "0",
        "IPAddress": ip,
        "AutonomousSystemNumber": "64500",
        "Location": "US",
        "UserAgent": "Mozilla/5.0" if leg == "approval" else "python-requests/2.32.3",
        "AppId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "AppDisplayName": "Microsoft Azure CLI",
        **more,
    }


def _indicator(now: datetime) -> dict[str, Any]:
    return {
        "TimeGenerated": iso(now - timedelta(days=1)),
        "Id": "indicator--1",
        "ObservableKey": "ipv4-addr:value",
        "ObservableValue": ATTACKER,
        "Confidence": 90,
        "IsActive": True,
        "IsDeleted": False,
        "Revoked": False,
        "ValidFrom": iso(now - timedelta(days=1)),
        "ValidUntil": iso(now + timedelta(days=30)),
        "Tags": "Tor exit node",
    }


def _lines(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    with file.open("a") as text:
        text.write("".join(json.dumps(row) + "\n" for row in rows))


def iso(moment: datetime) -> str:
    """As the logs and the directory write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
