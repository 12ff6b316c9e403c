"""One incident of Microsoft Sentinel, as SecurityInsights shows it. Read tolerantly: all but its id may be missing.

https://learn.microsoft.com/rest/api/securityinsights/incidents/get
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import Field, JsonValue

from respond.models.base import Model, OpenEnum, Utc
from respond.models.notice import Named

WORKSPACE = (
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/resourcegroups/(?P<group>(?u:[\w.()-]{0,89}[\w()-]))"
    r"/providers/microsoft\.operationalinsights/workspaces/(?P<workspace>[0-9a-z-]{1,63})"
)
INCIDENT = re.compile(
    WORKSPACE + r"/providers/microsoft\.securityinsights/incidents/(?P<name>[0-9a-z-]{1,64})",
    re.IGNORECASE | re.ASCII,
)
"""The id of an incident. No part of it can be empty, `.` or `..`, or hold a slash, a query or an escape."""

_DIGITS = 15
_FRACTION = re.compile(r"(\.\d{6})\d+")


class Severity(OpenEnum):
    """In rising order."""

    INFORMATIONAL = "Informational"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"

    def outranks(self, other: str) -> bool:
        """Whether this is more severe; than anything unheard of, it is."""
        order = [severity.value.lower() for severity in Severity]
        return other.lower() not in order or order.index(self.value.lower()) > order.index(other.lower())


class IncidentStatus(OpenEnum):
    NEW = "New"
    ACTIVE = "Active"
    CLOSED = "Closed"


class IncidentId(Model):
    """An incident's resource id, taken apart. Whoever sent it is not trusted: only ids of this form exist here."""

    subscription: str
    group: str
    workspace: str
    name: str

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The id in any case; None when it is not the id of an incident."""
        found = INCIDENT.fullmatch(text)
        return cls(**found.groupdict()) if found else None

    @classmethod
    def called(cls, text: str) -> str:
        """What to call an incident in a message, given its id: `incident NAME`."""
        found = cls.read(text)
        return f"incident {found.name if found else text[:80]}"

    @property
    def path(self) -> str:
        """As SecurityInsights spells it."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.OperationalInsights/workspaces/{self.workspace}"
            f"/providers/Microsoft.SecurityInsights/incidents/{self.name}"
        )


class Incident(Model):
    """An incident as it was read.

    Attributes:
        id: as the service spells it; compare in lower case.
        owner: object id, or else the name or address, of whom it is assigned to; empty for nobody.
        merged_into, merged_url: the incident that took this one over, when Defender has merged it; its alerts are
            there, and nobody looks here any more.
        raw: every property, as it has to be sent back: a PUT loses what it does not say.
    """

    id: str
    name: str
    etag: str = ""
    number: int | None = None
    title: str = ""
    severity: str = ""
    status: str = ""
    classification: str = ""
    labels: tuple[str, ...] = ()
    owner: str = ""
    url: str = ""
    provider: str = ""
    created: Utc | None = None
    modified: Utc | None = None
    first_activity: Utc | None = None
    last_activity: Utc | None = None
    alerts_count: int | None = None
    comments_count: int | None = None
    rules: tuple[str, ...] = ()
    merged_into: int | None = None
    merged_url: str = ""
    raw: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        return self.status.lower() == "closed"

    @property
    def is_merged(self) -> bool:
        return self.merged_into is not None or bool(self.merged_url) or self.status.lower() == "redirected"

    @classmethod
    def read(cls, resource: Mapping[str, Any]) -> Self:
        """From the resource that GET and PUT answer with; a property of another type counts as missing."""
        properties = _mapping(resource.get("properties"))
        additional, owner = _mapping(properties.get("additionalData")), _mapping(properties.get("owner"))
        labels = properties.get("labels")
        return cls(
            id=_text(resource.get("id")),
            name=_text(resource.get("name")),
            etag=_text(resource.get("etag")),
            number=_whole(properties.get("incidentNumber")),
            title=_text(properties.get("title")),
            severity=_text(properties.get("severity")),
            status=_text(properties.get("status")),
            classification=_text(properties.get("classification")),
            labels=tuple(filter(None, (_text(_mapping(label).get("labelName")) for label in _list(labels)))),
            owner=next(filter(None, (_text(owner.get(key)) for key in _OWNER)), ""),
            url=_text(properties.get("incidentUrl")),
            provider=_text(properties.get("providerName")),
            created=_moment(properties.get("createdTimeUtc")),
            modified=_moment(properties.get("lastModifiedTimeUtc")),
            first_activity=_moment(properties.get("firstActivityTimeUtc")),
            last_activity=_moment(properties.get("lastActivityTimeUtc")),
            alerts_count=_whole(additional.get("alertsCount")),
            comments_count=_whole(additional.get("commentsCount")),
            rules=tuple(filter(None, map(_text, _list(properties.get("relatedAnalyticRuleIds"))))),
            merged_into=_whole(_merged(properties, additional, "mergedIncidentNumber")),
            merged_url=_text(_merged(properties, additional, "mergedIncidentUrl")),
            raw=dict(properties),
        )


class IncidentRecord(Model):
    """An incident and what belongs to it, as the API listed it: ARM objects with `kind` and `properties`.

    Attributes:
        accounts: those of the entities that name somebody.
    """

    incident: Incident
    entities: tuple[dict[str, JsonValue], ...] = ()
    alerts: tuple[dict[str, JsonValue], ...] = ()
    accounts: tuple[Named, ...] = ()


_OWNER = ("objectId", "userPrincipalName", "email", "assignedTo")


def _merged(properties: Mapping[str, Any], additional: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    # Newer API versions list it among the additional data.
    return additional.get(name) or properties.get(name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    """A number, also one written as text, as incident numbers sometimes are."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    """A time with any number of digits after the point; seven is Sentinel's own."""
    try:
        return datetime.fromisoformat(_FRACTION.sub(r"\1", _text(value)))
    except ValueError:
        return None
