"""Labels, severity and status of the incident, so that its queue shows what has come of it.

    PUT …/providers/Microsoft.SecurityInsights/incidents/{id}
    https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update

Safe to repeat: labels are only added, the severity only raised, the status only moved on. What is so already is not
written, which also keeps the incident's own update trigger from answering us for ever. The incident is replaced as a
whole, under its etag: what others wrote in between is read and kept.

Leaves open: when Defender XDR owns the incident, its status may be set back from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from respond.models.case import Case
from respond.models.incident import Incident, IncidentId, IncidentStatus, Severity
from respond.models.incidents import Classification
from respond.models.owed import OwedKind
from respond.models.report import ActionStatus, Change, Request
from respond.step import Owes, clients, write_action

NAME = "tag_incident"
_REASONS = {
    Classification.TRUE_POSITIVE: "SuspiciousActivity",
    Classification.BENIGN_POSITIVE: "SuspiciousButExpected",
    Classification.FALSE_POSITIVE: "IncorrectAlertLogic",
}
"""Sentinel takes these with a classification; Undetermined has none."""
_ORDER = [status.value.lower() for status in IncidentStatus]


@dataclass(frozen=True)
class _Wish:
    labels: Sequence[str]
    severity: Severity | None
    status: IncidentStatus | None
    classification: Classification
    closing: str

    def edit(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The properties as they should be; equal to what they are when there is nothing to do."""
        after = dict(properties)
        labels = list(properties.get("labels") or [])
        held = {str(label.get("labelName", "")).lower() for label in labels if isinstance(label, dict)}
        missing = [label for label in dict.fromkeys(self.labels) if label.lower() not in held]
        if missing:
            after["labels"] = labels + [{"labelName": label, "labelType": "User"} for label in missing]
        if self.severity and self.severity.outranks(str(properties.get("severity") or "")):
            after["severity"] = self.severity.value
        if self.status and _moves_on(str(properties.get("status") or ""), self.status):
            after["status"] = self.status.value
            if self.status is IncidentStatus.CLOSED:
                after["classification"] = self.classification.value
                after["classificationReason"] = _REASONS.get(self.classification)
                after["classificationComment"] = self.closing
        return after


def _key(case: Case, told: Mapping[str, Any]) -> str:
    return f"{told['incident'].lower()}|{case.id or case.run}"


def _target(_: Case, told: Mapping[str, Any]) -> str:
    return IncidentId.called(told["incident"])


@write_action("Microsoft Sentinel Responder", owes=Owes(OwedKind.TAG, _key, _target))
async def tag_incident(
    case: Case,
    *,
    incident: str,
    labels: Sequence[str] = (),
    severity: Severity | None = None,
    status: IncidentStatus | None = None,
    classification: Classification = Classification.UNDETERMINED,
    closing: str = "",
) -> Change:
    """Make the incident say at least this.

    Args:
        incident: its Azure resource id, in any case.
        labels: added where missing; others stay.
        severity: raised to this, never lowered.
        status: New becomes Active or Closed, Active becomes Closed; a closed incident is not opened again.
        classification, closing: written when this closes the incident; one that is closed keeps its own.

    Raises:
        NotFound: no such incident (any more).
        Conflict: others changed it every time before we could.
        Permanent: not the id of an incident.
        Forbidden, Transient: as named.
    """
    sentinel = clients(case).sentinel
    wish = _Wish(labels, severity, status, classification, closing)
    found = await sentinel.incident(incident)
    todo = _differences(found, wish)
    if not todo:
        return _change(
            incident, ActionStatus.UNNEEDED, "labels, severity and status are as they should be", verified=True
        )
    if case.is_dry_run:
        request = Request(method="PUT", url=sentinel.url(incident))
        return _change(incident, ActionStatus.PLANNED, todo, request=request)
    await sentinel.update(incident, wish.edit)
    left = _differences(await sentinel.incident(incident), wish)
    if left:
        lost = f"Sentinel took the change, but on reading back it is still to do: {left}"
        return _change(incident, ActionStatus.DONE, lost, verified=False)
    return _change(incident, ActionStatus.DONE, f"{todo}; read back", verified=True)


def _moves_on(now: str, wanted: IncidentStatus) -> bool:
    return now.lower() in _ORDER and _ORDER.index(now.lower()) < _ORDER.index(wanted.value.lower())


def _differences(found: Incident, wish: _Wish) -> str:
    """What is to do, in words; empty when there is nothing."""
    after = Incident.read({"properties": wish.edit(found.raw)})
    told = [f"label {label}" for label in after.labels if label not in found.labels]
    if after.severity != found.severity:
        told.append(f"severity {found.severity} to {after.severity}")
    if after.status != found.status:
        why = f" as {after.classification}" if after.status == IncidentStatus.CLOSED else ""
        told.append(f"status {found.status} to {after.status}{why}")
    return ", ".join(told)


def _change(incident: str, status: ActionStatus, summary: str, **more: object) -> Change:
    target = IncidentId.called(incident)
    return Change.model_validate({"name": NAME, "status": status, "target": target, "summary": summary, **more})
