"""An incident that an analytics rule might have raised about a story, for stories that bring none of their own."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from respond.lab.columns import split_timestamp
from respond.lab.scenario import Scenario

_IDS = uuid.UUID("1ab00000-0000-4000-8000-0000000000d1")
_HARMLESS = ("benign", "no-activity")
_TABLES = ("SigninLogs", "AADNonInteractiveUserSignInLogs")
_A_DAY = timedelta(hours=24)


def sample_incident(story: Scenario) -> dict[str, Any]:
    """An entry as of `incidents.json`: it names the users that an analyst would call phished, or all of the story.

    Times are those of the story.
    """
    upns = [upn for upn, said in story.expect.items() if said["verdict"] not in _HARMLESS] or list(story.expect)
    times = _times(story, {upn.lower() for upn in upns}) or [story.now - _A_DAY, story.now]
    name = str(uuid.uuid5(_IDS, story.path.name))
    ids = {user["userPrincipalName"].lower(): user["id"] for user in story.directory.get("users", [])}
    start, end = _text(min(times)), _text(max(times))
    alert = {
        "kind": "SecurityAlert",
        "properties": {
            "systemAlertId": str(uuid.uuid5(_IDS, f"{story.path.name}/alert")),
            "alertDisplayName": "Device code sign-in",
            "severity": "Medium",
            "startTimeUtc": start,
            "endTimeUtc": end,
        },
    }
    properties = {
        "title": f"Device code sign-in ({story.path.name})",
        "severity": "Medium",
        "status": "New",
        "labels": [],
        "firstActivityTimeUtc": start,
        "lastActivityTimeUtc": end,
        "createdTimeUtc": _text(story.now),
    }
    return {
        "incident": {"name": name, "properties": properties},
        "entities": [_account(upn, ids.get(upn.lower(), "")) for upn in upns],
        "alerts": [alert],
    }


def _account(upn: str, object_id: str) -> dict[str, Any]:
    name, _, suffix = upn.rpartition("@")
    known = {"aadUserId": object_id} if object_id else {}
    return {"kind": "Account", "properties": {**known, "accountName": name, "upnSuffix": suffix}}


def _times(story: Scenario, upns: set[str]) -> list[datetime]:
    """When the users signed in with a device code on the day of the story."""
    found = []
    for table in _TABLES:
        for row in story.tables.get(table, ()):
            is_code = (row.get("AuthenticationProtocol"), row.get("OriginalTransferMethod"))
            if "deviceCode" not in is_code and "deviceCodeFlow" not in is_code:
                continue
            moment = split_timestamp(str(row.get("TimeGenerated", "")))
            if moment and str(row.get("UserPrincipalName", "")).lower() in upns and moment[0] > story.now - _A_DAY:
                found.append(moment[0])
    return found


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
