"""The shapes of a delivery, one function each: incident, alert, entity.

The window comes from the times that the alerts say their query looked at. Their query text is cut by Sentinel and never
used.
https://learn.microsoft.com/azure/sentinel/playbook-triggers-actions
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from respond.clients.entities import accounts_of
from respond.clients.loose import Part, parsed
from respond.errors import InvalidNotice
from respond.models.notice import Named, Notice, Shape, Workspace

MOST_ACCOUNTS = 500
_MOST_ENTITIES = 5000
_MOST_ALERTS = 1000
_MOST_RULE_ID = 600
_MOST_URL = 2000

_DEFENDER = ("microsoft xdr", "microsoft 365 defender")
"""Providers whose incidents the Defender portal has under the provider's own number."""

_GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
# Names of resource groups may hold letters of any alphabet; a final dot, which ARM does not take, could climb a path.
_GROUP = r"(?u:[\w().-]{0,89}[\w()-])"
_INCIDENT = re.compile(
    rf"/subscriptions/({_GUID})/resourceGroups/({_GROUP})"
    r"/providers/Microsoft\.OperationalInsights/workspaces/([a-z0-9][a-z0-9-]{0,62})"
    r"/providers/Microsoft\.SecurityInsights/incidents/[a-z0-9][a-z0-9._-]{0,127}",
    re.IGNORECASE | re.ASCII,
)


def read_incident(root: Part, incident: Part) -> Notice:
    """`object` of an incident trigger, inside `root`, or a bare incident, which is its own root."""
    arm_id, workspace = _incident_id(incident, "id", needed=True)
    said = incident.part("properties")
    if not said:
        raise InvalidNotice("must be an object that describes the incident", incident.where("properties"))
    alerts = [alert.part("properties") for alert in islice(said.parts("alerts"), _MOST_ALERTS)]
    start, end = _window(alerts, said)
    entities = _listed(said, "relatedEntities", may_be_cut=False)
    accounts, cut = _accounts(entities)
    return Notice(
        shape=Shape.INCIDENT,
        event_id=root.text("eventUniqueId"),
        event=root.text("objectEventType"),
        workspace_id=root.guid("workspaceId"),
        workspace_garbled=_is_garbled(root, "workspaceId"),
        workspace=workspace,
        incident=arm_id,
        number=said.number("incidentNumber"),
        title=said.text("title"),
        url=_portal(said),
        status=said.text("status"),
        severity=said.text("severity"),
        labels=said.texts("labels", of="labelName"),
        rules=said.texts("relatedAnalyticRuleIds", most=_MOST_RULE_ID),
        alerts_count=said.part("additionalData").number("alertsCount"),
        alerts=tuple(sorted({_id(alert, "systemAlertId") for alert in alerts} - {""})),
        modified=said.moment("lastModifiedTimeUtc"),
        window_start=start,
        window_end=end,
        accounts=accounts,
        entities_listed=entities is not None,
        cut=cut,
    )


def read_alert(root: Part) -> Notice:
    """The flat body of an alert trigger; its incident may not exist yet."""
    alert_id = _id(root, "SystemAlertId")
    if not alert_id:
        raise InvalidNotice("an alert needs its id", root.where("SystemAlertId"))
    start, end = _window([root], root)
    entities = _listed(root, "Entities", may_be_cut=True)
    accounts, cut = _accounts(entities)
    return Notice(
        shape=Shape.ALERT,
        workspace_id=root.guid("WorkspaceId"),
        workspace_garbled=_is_garbled(root, "WorkspaceId"),
        workspace=_alert_workspace(root),
        title=root.text("AlertDisplayName", "DisplayName"),
        url=_url(root, "AlertLink"),
        status=root.text("Status"),
        severity=root.text("Severity"),
        rules=_more(root).texts("Analytic Rule Ids", most=_MOST_RULE_ID),
        alerts_count=1,
        alerts=(alert_id,),
        modified=root.moment("ProcessingEndTime", "TimeGenerated"),
        window_start=start,
        window_end=end,
        accounts=accounts,
        entities_listed=entities is not None,
        cut=cut,
    )


def flat_alert(root: Part, alert: Part) -> Part:
    """An alert in `object`, spelled like an incident's, as the flat body: alerts of Defender come without an incident.

    Microsoft does not document this body, so each part is taken from wherever it may stand.
    """
    said, place, properties = alert.part("properties"), root.part("workspaceInfo"), parsed(alert.get("properties"))
    entities = next((one for one in (alert.get("relatedEntities"), said.get("entities")) if one is not None), None)
    return Part(
        {
            **(properties if isinstance(properties, dict) else {}),
            "WorkspaceId": root.get("workspaceId"),
            "WorkspaceSubscriptionId": place.get("SubscriptionId"),
            "WorkspaceResourceGroup": place.get("ResourceGroupName"),
            "Entities": entities,
        },
        root.where("object"),
    )


def read_entity(root: Part) -> Notice:
    """An entity that somebody ran the playbook on, perhaps from an incident; or no more than an incident's id."""
    arm_id, workspace = _incident_id(root, "IncidentArmID", needed=False)
    entity = parsed(root.get("Entity"))
    if entity is not None and not isinstance(entity, dict):
        raise InvalidNotice("must be an object", root.where("Entity"))
    if not entity and not arm_id:
        raise InvalidNotice("neither an entity nor an incident", root.where("Entity"))
    if entity and not _says_its_kind(Part(entity)):
        entity = {**entity, "kind": "Account"}  # the trigger of accounts leaves it out
    return Notice(
        shape=Shape.ENTITY if entity else Shape.INCIDENT,
        event_id=root.text("eventUniqueId"),
        workspace_id=root.guid("workspaceId"),
        workspace_garbled=_is_garbled(root, "workspaceId"),
        workspace=workspace,
        incident=arm_id,
        accounts=accounts_of([entity]),
        entities_listed=bool(entity),
    )


def _says_its_kind(entity: Part) -> bool:
    """`Type` is a kind in the entities of an alert and a resource type, with a slash, in those of an incident."""
    return "kind" in entity or ("Type" in entity and "/" not in entity.text("Type"))


def _listed(part: Part, name: str, *, may_be_cut: bool) -> list[object] | None:
    """A list of entities; None where there is none.

    Args:
        may_be_cut: text that is not JSON is a list that was cut off, and no reason to refuse the rest.
    """
    value = part.get(name)
    entities = parsed(value)
    if value is None or value == "" or (entities is None and may_be_cut):
        return None
    if not isinstance(entities, list):
        raise InvalidNotice("must be a list of entities", part.where(name))
    return entities


def _accounts(entities: list[object] | None) -> tuple[tuple[Named, ...], bool]:
    """Whom a list names, as many as can be answered, and whether there are more."""
    first = (entities or [])[:_MOST_ENTITIES]
    found = accounts_of(first, most=MOST_ACCOUNTS + 1)
    return found[:MOST_ACCOUNTS], len(found) > MOST_ACCOUNTS or len(entities or []) > len(first)


def _incident_id(part: Part, name: str, *, needed: bool) -> tuple[str, Workspace | None]:
    value = part.get(name)
    if value is None and not needed:
        return "", None
    found = _INCIDENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidNotice("must be the resource id of a Microsoft Sentinel incident", part.where(name))
    return found[0], Workspace(subscription_id=found[1], resource_group=found[2], name=found[3])


def _id(part: Part, name: str) -> str:
    value = part.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidNotice("must be text", part.where(name))
    return part.text(name)


def _is_garbled(root: Part, name: str) -> bool:
    said = root.get(name)
    return said not in (None, "") and not re.fullmatch(rf"\s*{{?{_GUID}}}?\s*", str(said), re.IGNORECASE | re.ASCII)


def _alert_workspace(root: Part) -> Workspace | None:
    subscription, group = root.guid("WorkspaceSubscriptionId"), root.raw("WorkspaceResourceGroup")
    usable = subscription and re.fullmatch(_GROUP, group)
    return Workspace(subscription_id=subscription, resource_group=group) if usable else None


def _more(alert: Part) -> Part:
    return alert.part("additionalData", "ExtendedProperties")


def _window(alerts: Iterable[Part], otherwise: Part) -> tuple[datetime | None, datetime | None]:
    """From the earliest to the latest that the alerts' queries looked at; else their activity, else the incident's."""
    times = [
        (
            _more(alert).moment("Query Start Time UTC") or alert.moment("startTimeUtc"),
            _more(alert).moment("Query End Time UTC") or alert.moment("endTimeUtc"),
        )
        for alert in alerts
    ]
    start = min((start for start, _ in times if start), default=otherwise.moment("firstActivityTimeUtc"))
    end = max((end for _, end in times if end), default=otherwise.moment("lastActivityTimeUtc"))
    return (end, start) if start and end and start > end else (start, end)


def _portal(said: Part) -> str:
    """Where a person reads the incident: in Defender's portal if it is there; the Azure portal ends in March 2027."""
    url, number = _url(said, "incidentUrl"), said.text("providerIncidentId")
    moved = url.startswith("https://portal.azure.com/") and said.text("providerName").lower() in _DEFENDER
    return (
        f"https://security.microsoft.com/incidents/{number}" if moved and number.isascii() and number.isdigit() else url
    )


def _url(part: Part, name: str) -> str:
    """A link that a person may follow from a ticket."""
    url = part.text(name, most=_MOST_URL)
    return url if url.startswith("https://") else ""
