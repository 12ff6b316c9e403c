"""What SecurityInsights knows about an incident: which values it takes, what it fills in, what a writer cannot set.

https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update
"""

from __future__ import annotations

import uuid
from typing import Any

from respond.lab import clock
from respond.lab.constants import SECURITY_INSIGHTS

MOST_COMMENTS = 100
LONGEST_COMMENT = 30_000
LONGEST_DESCRIPTION = 5_000
_NOBODY = dict.fromkeys(("objectId", "email", "assignedTo", "userPrincipalName"))
_CHOICES = {
    "severity": ("High", "Medium", "Low", "Informational"),
    "status": ("New", "Active", "Closed"),
    "classification": ("Undetermined", "TruePositive", "BenignPositive", "FalsePositive"),
    "classificationReason": (
        "SuspiciousActivity",
        "SuspiciousButExpected",
        "IncorrectAlertLogic",
        "InaccurateData",
    ),
}
_KEPT = frozenset(
    {
        "additionalData",
        "createdTimeUtc",
        "incidentNumber",
        "incidentUrl",
        "lastModifiedTimeUtc",
        "providerIncidentId",
        "providerName",
        "relatedAnalyticRuleIds",
    }
)
"""Properties that are Sentinel's own: what a request says about them is ignored."""


def problem(properties: Any) -> str:
    """What SecurityInsights would not take about the properties of an incident; empty when there is nothing."""
    if not isinstance(properties, dict):
        return "needs 'properties' as an object"
    for name in ("title", "severity", "status"):
        if not isinstance(properties.get(name), str) or not properties[name]:
            return f"needs {name!r} as text"
    for name, choices in _CHOICES.items():
        if properties.get(name) is not None and properties[name] not in choices:
            return f"{name} must be one of {', '.join(choices)}"
    if properties["status"] == "Closed" and not properties.get("classification"):
        return "needs 'classification' because its status is Closed"
    description = properties.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION):
        return f"description must be text of at most {LONGEST_DESCRIPTION} characters"
    return _label_problem(properties.get("labels"))


def _label_problem(labels: Any) -> str:
    names = [label.get("labelName") for label in labels if isinstance(label, dict)] if isinstance(labels, list) else []
    if labels is not None and (not isinstance(labels, list) or len(names) < len(labels)):
        return "labels must be a list of objects"
    return "" if all(isinstance(name, str) and name for name in names) else "every label needs 'labelName' as text"


def loaded(entry: dict[str, Any], number: int) -> dict[str, Any]:
    """An incident of a story, with everything that Sentinel would have filled in."""
    given = entry["incident"]
    counts = {"alertsCount": len(entry.get("alerts") or []), "bookmarksCount": 0, "commentsCount": 0}
    lists: dict[str, list[Any]] = {"alertProductNames": [], "tactics": [], "techniques": []}
    properties = _filled(given["properties"], given["name"], number)
    properties["additionalData"] = {**counts, **lists, **(given["properties"].get("additionalData") or {})}
    return _resource(given["name"], properties) | ({"etag": given["etag"]} if given.get("etag") else {})


def written(name: str, number: int, before: dict[str, Any] | None, sent: dict[str, Any]) -> dict[str, Any]:
    """What a PUT leaves: what it did not say is gone, but for what is Sentinel's own."""
    if before is None:
        return loaded({"incident": {"name": name, "properties": _own(sent)}}, number)
    kept = {key: value for key, value in before["properties"].items() if key in _KEPT}
    return touched({**before, "properties": {"labels": [], "owner": dict(_NOBODY), **_own(sent), **kept}})


def commented(incident: dict[str, Any], more: int) -> dict[str, Any]:
    """The incident with that many more comments."""
    properties = incident["properties"]
    additional = properties["additionalData"]
    count = {"commentsCount": additional["commentsCount"] + more}
    return touched({**incident, "properties": {**properties, "additionalData": {**additional, **count}}})


def touched(resource: dict[str, Any]) -> dict[str, Any]:
    """Changed just now: every write is a new version."""
    return {**resource, "etag": etag(), "properties": {**resource["properties"], "lastModifiedTimeUtc": now_text()}}


def etag() -> str:
    """The name of a new version."""
    return f'"{uuid.uuid4()}"'


def now_text() -> str:
    """The present with seven digits of fraction, as Sentinel writes it."""
    return clock.now().isoformat(timespec="microseconds").replace("+00:00", "0Z")


def _own(sent: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in sent.items() if key not in _KEPT}
    if own.get("labels"):
        own["labels"] = [{"labelType": "User", **label} for label in own["labels"]]
    return own


def _filled(properties: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    now = now_text()
    portal = "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident"
    defaults: dict[str, Any] = {
        "labels": [],
        "owner": dict(_NOBODY),
        "createdTimeUtc": now,
        "lastModifiedTimeUtc": properties.get("createdTimeUtc") or now,
        "incidentUrl": f"{portal}{SECURITY_INSIGHTS}/Incidents/{name}",
        "providerName": "Azure Sentinel",
        "providerIncidentId": str(number),
        "relatedAnalyticRuleIds": [],
    }
    return {**defaults, **properties, "incidentNumber": number}


def _resource(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{SECURITY_INSIGHTS}/Incidents/{name}",
        "name": name,
        "etag": etag(),
        "type": "Microsoft.SecurityInsights/Incidents",
        "properties": properties,
    }
