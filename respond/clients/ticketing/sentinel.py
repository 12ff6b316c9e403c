"""The Sentinel incident as the ticket: the one that brought the case, or one that is created for it.

    PUT …/providers/Microsoft.SecurityInsights/incidents/{id}
    PUT …/incidents/{id}/comments/{comment}
    https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update

Safe to repeat: both ids are ours to choose and follow from the case. The ticket's text is one comment, rewritten in
place; an incident that somebody else made keeps its title, severity and owner.

Leaves open: an incident that is created here starts automation rules like any other; exclude the tag `respond` in the
rule that delivers to us, or it asks about the same user again.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from respond.clients.ticketing.reading import as_text
from respond.defang import as_comment
from respond.errors import Conflict, Forbidden, NotFound, Unanswered
from respond.models.incident import Incident, IncidentId, IncidentStatus
from respond.models.incident import Severity as IncidentSeverity
from respond.models.tickets import Draft, Found, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respond.clients.sentinel import Sentinel

_IDS = uuid.UUID("0d3b4f0e-6c0f-5a8b-8f7e-2b9f6d1a4c55")
_LONGEST = 30_000
_CUT = "(cut here: Sentinel takes 30,000 characters; respond show has the rest)"
_ROLE = "grant the application Microsoft Sentinel Responder on the workspace"
_SEVERITY = {
    Severity.HIGH: IncidentSeverity.HIGH,
    Severity.MEDIUM: IncidentSeverity.MEDIUM,
    Severity.LOW: IncidentSeverity.LOW,
}


class SentinelTickets:
    """Incidents of one workspace.

    Args:
        workspace: its resource id.
        incident: resource id of the incident that brought the case, if one did.
    """

    name = "sentinel"
    lags = timedelta()

    def __init__(self, sentinel: Sentinel, workspace: str, *, incident: str = "") -> None:
        self._sentinel = sentinel
        self._workspace = workspace
        self._brought = incident if IncidentId.read(incident) else ""

    async def find(self, key: str) -> Found | None:
        """The incident that was created for the case, or the one that brought it once our text is on it."""
        if self._brought and await self._sentinel.comment(self._brought, _id(key)) is not None:
            return _found(await self._sentinel.incident(self._brought))
        try:
            return _found(await self._sentinel.incident(self._own(key)))
        except NotFound:
            return None

    async def create(self, draft: Draft) -> Found:
        """Write our text on the incident that brought the case; without one, create an incident first."""
        if self._brought:
            try:
                return await self._commented(self._brought, draft)
            except NotFound:  # it was deleted, or merged into another one, since it brought the case
                pass
        try:
            with _naming():
                await self._sentinel.create(self._own(draft.key), _properties(draft))
        except Conflict:
            pass  # it is there already: an earlier try has arrived
        return await self._commented(self._own(draft.key), draft)

    async def update(self, found: Found, draft: Draft) -> None:
        """Rewrite our comment, and of an incident of ours the title and the severity as well."""
        if found.handle.lower() == self._own(draft.key).lower():
            wanted = _properties(draft)
            told = {name: wanted[name] for name in ("title", "severity")}
            with _naming():
                await self._sentinel.update(found.handle, lambda now: now | told)
        await self._commented(found.handle, draft)

    async def close(self) -> None:
        """Nothing is open: the connections are those of the Sentinel client."""

    async def _commented(self, arm_id: str, draft: Draft) -> Found:
        text = as_comment(f"{draft.title}\n\n{as_text(draft.body)}", most=_LONGEST, cut=_CUT)
        with _naming():
            await self._sentinel.put_comment(arm_id, _id(draft.key), text)
        if await self._sentinel.comment(arm_id, _id(draft.key)) is None:
            raise Unanswered(f"incident {arm_id}: Sentinel took our text, but it is not there")
        return _found(await self._sentinel.incident(arm_id))

    def _own(self, key: str) -> str:
        return f"{self._workspace}/providers/Microsoft.SecurityInsights/incidents/{_id(key)}"


def _id(key: str) -> str:
    return str(uuid.uuid5(_IDS, key))


def _found(incident: Incident) -> Found:
    return Found(handle=incident.id, id=str(incident.number or incident.name), url=incident.url)


def _properties(draft: Draft) -> dict[str, Any]:
    return {
        "title": draft.title,
        "description": f"Opened by respond for case {draft.key}; the comment has the whole story.",
        "severity": _SEVERITY[draft.severity].value,
        "status": IncidentStatus.NEW.value,
        "labels": [{"labelName": tag, "labelType": "User"} for tag in dict.fromkeys(("respond", *draft.tags))],
    }


@contextmanager
def _naming() -> Iterator[None]:
    """Say what would have to be granted."""
    try:
        yield
    except Forbidden as error:
        raise Forbidden(f"{error.message}; {_ROLE}") from error
