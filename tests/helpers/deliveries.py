"""Bodies as a Logic App forwards them."""

from __future__ import annotations

import uuid
from typing import Any

from respond.lab.constants import SECURITY_INSIGHTS, WORKSPACE_ID
from tests.helpers import victims


def arm_id(number: int) -> str:
    """Resource id of the incident about a victim."""
    return f"{SECURITY_INSIGHTS}/Incidents/{victims.incident_id(number)}"


def entry(number: int, **properties: Any) -> dict[str, Any]:
    """An entry of `incidents.json`."""
    return {
        "incident": {"name": victims.incident_id(number), "properties": _properties(number) | properties},
        "entities": [account(number)],
        "alerts": [],
    }


def account(number: int) -> dict[str, Any]:
    """An account entity that names a victim by object id."""
    return {"kind": "Account", "properties": {"aadUserId": victims.user_id(number), "accountName": f"victim{number}"}}


def body(number: int, *, event: str = "", kind: str = "Create", **properties: Any) -> dict[str, Any]:
    """An incident trigger about a victim.

    Args:
        event: `eventUniqueId`; a new one unless given, as each run of the Logic App has.
    """
    entities = properties.pop("entities", [account(number)])
    return {
        "eventUniqueId": event or str(uuid.uuid4()),
        "objectSchemaType": "Incident",
        "objectEventType": kind,
        "workspaceId": WORKSPACE_ID,
        "object": {
            "id": arm_id(number),
            "name": victims.incident_id(number),
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": {**_properties(number), "relatedEntities": entities, **properties},
        },
    }


def _properties(number: int) -> dict[str, Any]:
    return {
        "title": "Device code sign-in",
        "severity": "Medium",
        "status": "New",
        "incidentNumber": number + 1,
        "labels": [],
        "firstActivityTimeUtc": "2026-01-15T09:20:00Z",
        "lastActivityTimeUtc": "2026-01-15T09:30:00Z",
    }
