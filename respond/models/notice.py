"""What a delivery says: which incident or alert, and whom it names. Read tolerantly, kept strictly.

The shapes that a Logic App forwards: incident, alert and entity triggers, and the empty body of the "Run" button.
https://learn.microsoft.com/azure/sentinel/playbook-triggers-actions
"""

from __future__ import annotations

import hashlib
import json

from pydantic import Field

from respond.models.base import Model, OpenEnum, Utc, iso_z


class Shape(OpenEnum):
    INCIDENT = "incident"
    ALERT = "alert"
    ENTITY = "entity"
    EMPTY = "empty"


class Named(Model):
    """One account or mailbox that a delivery names: everything it says about who that is, nothing checked yet.

    Attributes:
        object_id: `aadUserId`, or a mailbox's `externalDirectoryObjectId`, in lower case.
        tenant_id: `aadTenantId`, in lower case.
        upn: `additionalData.UserPrincipalName`, or a mailbox's `upn`.
        name, suffix: `accountName` and `upnSuffix`; together often, but not always, the UPN.
        mail: a mailbox's primary address.
        sid: on-premises or cloud security identifier.
        label: what to call it in a message, before anybody knows who it is.
    """

    kind: str = Field(pattern="^(account|mailbox)$")
    object_id: str = ""
    tenant_id: str = ""
    upn: str = ""
    name: str = ""
    suffix: str = ""
    mail: str = ""
    sid: str = ""
    label: str = ""

    @property
    def address(self) -> str:
        """The likeliest of its names that have the form of an address, or empty."""
        composed = f"{self.name}@{self.suffix}" if self.name and self.suffix else ""
        return self.upn or composed or self.mail

    @property
    def identity(self) -> tuple[str, ...]:
        """Everything that says who it is, in lower case; not what it is called."""
        said = (self.object_id, self.tenant_id, self.upn, self.name, self.suffix, self.mail, self.sid)
        known = tuple(text.lower() for text in said)
        return known if any(known) else (*known, self.label)


class Workspace(Model):
    """Where an incident lives, as Azure Resource Manager spells it.

    Attributes:
        name: empty where only an alert was delivered, which does not say it.
    """

    subscription_id: str
    resource_group: str
    name: str = ""

    def is_not(self, resource_id: str) -> bool:
        """Whether this is another workspace than the one of a resource id, as far as it says which."""
        parts = dict(zip(*[iter(resource_id.lower().strip("/").split("/"))] * 2, strict=False))
        known = (
            (self.subscription_id, parts.get("subscriptions")),
            (self.resource_group, parts.get("resourcegroups")),
            (self.name, parts.get("workspaces")),
        )
        return any(said and said.lower() != ours for said, ours in known)


class Notice(Model):
    """One delivery, read.

    Attributes:
        event_id: `eventUniqueId`; the same in every retry of one Logic App run, another in create and update.
        event: `Create`, `Update`, or empty.
        workspace_id: of Log Analytics.
        workspace_garbled: it names a workspace by something that is no GUID, so by none of ours.
        incident: ARM resource id as given; empty where there is no incident (yet).
        alerts_count: as the incident says; more than `alerts` where the list was cut.
        alerts: ids of its alerts, sorted.
        window_start, window_end: what the alerts' own queries looked at, or their first and last activity.
        accounts: whom it names, in its order, without repetitions.
        entities_listed: whether the delivery carried a list of entities at all, be it empty.
        cut: it named more accounts than are kept here.
    """

    shape: Shape
    event_id: str = ""
    event: str = ""
    workspace_id: str = ""
    workspace_garbled: bool = False
    workspace: Workspace | None = None
    incident: str = ""
    number: int | None = None
    title: str = ""
    url: str = ""
    status: str = ""
    severity: str = ""
    labels: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    alerts_count: int | None = None
    alerts: tuple[str, ...] = ()
    modified: Utc | None = None
    window_start: Utc | None = None
    window_end: Utc | None = None
    accounts: tuple[Named, ...] = ()
    entities_listed: bool = False
    cut: bool = False

    @property
    def incident_key(self) -> str:
        """The incident, however its id is spelled; both `/Incidents/` and `/incidents/` occur."""
        return self.incident.lower()

    @property
    def is_by_hand(self) -> bool:
        """Somebody pressed "Run": no rule says the same again, so the same said again is a question of its own."""
        return self.shape in (Shape.EMPTY, Shape.ENTITY)

    @property
    def digest(self) -> str:
        """What the delivery is about: which incident, alerts, accounts and window. SHA-256, hexadecimal.

        Two deliveries with one digest ask for the same work. Title, labels, comments, severity, status, owner and the
        time of the change are not in it, so the echo of our own comment or tag, an owner, and the update that follows
        a creation change nothing. A new alert, or an account that was not listed before, does: an incident whose
        entities are not there yet has another digest than the same one with them. Deliveries that say nothing at all
        (`Shape.EMPTY`) share one and are never about the same thing because of it.
        """
        said = {
            "shape": self.shape,
            "incident": self.incident_key,
            "alerts": sorted(alert.lower() for alert in self.alerts),
            "alerts_count": self.alerts_count,
            "accounts": sorted(named.identity for named in self.accounts),
            "window": [iso_z(at) if at else None for at in (self.window_start, self.window_end)],
        }
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()
