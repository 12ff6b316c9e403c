"""One scenario while it is being told: its clock, its identifiers, its rows and its directory."""

from __future__ import annotations

import base64
import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.scenarios.world import Device, Json, Person, Row, guid

MALICIOUS, SUSPICIOUS, BENIGN, NO_ACTIVITY = "malicious", "suspicious", "benign", "no-activity"


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Story:
    """Collects rows. Seeded by its name, so the same story is always told in the same words."""

    def __init__(self, name: str, title: str, now: str) -> None:
        self.name, self.title = name, title
        self.now = datetime.strptime(now, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        self.rng = random.Random(name)  # noqa: S311 - a story, not a secret
        self.absent: list[str] = []
        self.tables: dict[str, list[Row]] = {}
        self.unsorted: set[str] = set()
        self.expected: dict[str, Json] = {}
        self.directory: dict[str, list[Row]] = {
            kind: []
            for kind in (
                "users",
                "groups",
                "roleAssignments",
                "devices",
                "servicePrincipals",
                "oauth2PermissionGrants",
                "riskyUsers",
            )
        }
        self.rules: dict[str, list[Row]] = {}
        self.methods: dict[str, list[Row]] = {}
        self.happens: list[Json] = []

    def clock(self, text: str, days_ago: int = 0) -> datetime:
        """`HH:MM` or `HH:MM:SS` UTC on the day of `now`, or some days before it."""
        parts = [int(part) for part in text.split(":")]
        hour, minute, second = parts[0], parts[1], parts[2] if len(parts) > 2 else self.rng.randrange(60)
        return self.now.replace(hour=hour, minute=minute, second=second) - timedelta(days=days_ago)

    def guid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def token_id(self) -> str:
        """A `uti`: 16 bytes, base64url without padding."""
        return base64.urlsafe_b64encode(self.rng.randbytes(16)).decode().rstrip("=")

    def arrival(self, at: datetime) -> datetime:
        """When a row of `at` reached the workspace: minutes later, now and then an hour, never after `now`."""
        late = self.rng.random() < 0.05
        lag = self.rng.randint(1200, 3600) if late else self.rng.randint(95, 430)
        return max(at, min(at + timedelta(seconds=lag), self.now - timedelta(seconds=20)))

    def add(self, table: str, row: Row) -> Row:
        self.tables.setdefault(table, []).append(row)
        return row

    def expect(self, who: Person, verdict: str, why: str, rungs: tuple[str, ...] = ()) -> None:
        """Label somebody; `rungs` are the actions without which the attacker would still be inside."""
        label: dict[str, Json] = {"verdict": verdict, "why": why}
        self.expected[who.upn] = label | ({"rungs": list(rungs)} if rungs else {})

    def user(self, who: Person, *, created: str = "2023-05-15T08:00:00Z", risk: str = "") -> None:
        """Put a person into the directory."""
        self.directory["users"].append(
            {
                "id": who.id,
                "userPrincipalName": who.upn,
                "displayName": who.name,
                "mail": who.address,
                "accountEnabled": True,
                "userType": "Guest" if who.guest else "Member",
                "onPremisesSyncEnabled": True if who.synced else None,
                "createdDateTime": created,
                "signInSessionsValidFromDateTime": iso(self.now - timedelta(days=60 + len(who.name))),
                "department": who.department or None,
                "jobTitle": who.job or None,
            }
        )
        if risk:
            self.directory["riskyUsers"].append(
                {
                    "id": who.id,
                    "riskLevel": risk,
                    "riskState": "atRisk",
                    "riskLastUpdatedDateTime": iso(self.now - timedelta(minutes=12)),
                }
            )
        self.methods[who.id] = [
            {
                "@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod",
                "id": guid(f"method:{who.upn}"),
                "displayName": "iPhone",
                "createdDateTime": created,
            }
        ]

    def device(self, owner: Person, device: Device, *, registered: str = "2024-09-02T10:00:00Z") -> None:
        """Put a registered device into the directory."""
        trust = {"Azure AD joined": "AzureAd", "Azure AD registered": "Workplace"}[device.trust]
        self.directory["devices"].append(
            {
                "id": guid(f"object:{device.id}"),
                "deviceId": device.id,
                "displayName": device.name,
                "accountEnabled": True,
                "operatingSystem": "".join(c for c in device.os.split(" ")[0] if c.isalpha()),
                "trustType": trust,
                "isCompliant": device.compliant,
                "isManaged": device.managed,
                "registrationDateTime": registered,
                "registeredOwners": [owner.id],
            }
        )

    def role(self, who: Person, template: str, name: str) -> None:
        self.directory["roleAssignments"].append(
            {"principalId": who.id, "roleDefinitionId": template, "roleDefinitionName": name}
        )

    def group(self, name: str, members: list[Person], *, assignable: bool = False) -> None:
        self.directory["groups"].append(
            {
                "id": guid(f"group:{name}"),
                "displayName": name,
                "isAssignableToRole": assignable,
                "members": [who.id for who in members],
            }
        )

    def files(self) -> dict[str, str]:
        """Every file of the scenario, by name."""
        head: Json = {
            "title": self.title,
            "now": iso(self.now),
            "absent_tables": self.absent,
            "expect": self.expected,
        }
        directory: Json = {**self.directory, "messageRules": self.rules, "authenticationMethods": self.methods}
        out = {"scenario.json": _pretty(head), "directory.json": _pretty(directory)}
        if self.happens:
            out["happens.json"] = _pretty(self.happens)
        for table, rows in self.tables.items():
            ordered = rows if table in self.unsorted else sorted(rows, key=_arrived)
            if table not in self.absent:
                out[f"{table}.jsonl"] = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in ordered)
        return out

    def write(self, root: Path) -> None:
        """Write the scenario; files that are no longer part of it go."""
        folder, files = root / self.name, self.files()
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            if stale.name not in files:
                stale.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _arrived(row: Row) -> str:
    """Defender XDR's own tables have Timestamp in the place of TimeGenerated."""
    return str(row.get("TimeGenerated") or row["Timestamp"])


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=1) + "\n"
