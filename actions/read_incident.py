"""What is the incident about? The incident of Microsoft Sentinel, its entities and its alerts.

    GET …/providers/Microsoft.SecurityInsights/incidents/{id}, POST …/entities, POST …/alerts
    https://learn.microsoft.com/rest/api/securityinsights/incidents/list-entities

Sentinel lists entities minutes after it created the incident: none here does not mean that there are none.
"""

from __future__ import annotations

import asyncio

from respond.clients.entities import accounts_of
from respond.models.case import Case
from respond.models.incident import IncidentRecord
from respond.step import clients, read_action

_MOST_ACCOUNTS = 500


@read_action("Microsoft Sentinel Responder")
async def read_incident(case: Case, *, incident: str) -> IncidentRecord:
    """Read one incident.

    Args:
        incident: its Azure resource id, in any case.

    Raises:
        NotFound: no such incident (any more).
        Permanent: not the id of an incident.
        Forbidden, Transient: as named.
    """
    sentinel = clients(case).sentinel
    found, entities, alerts = await asyncio.gather(
        sentinel.incident(incident), sentinel.entities(incident), sentinel.alerts(incident)
    )
    return IncidentRecord(
        incident=found,
        entities=tuple(entities),
        alerts=tuple(alerts),
        accounts=accounts_of(entities, most=_MOST_ACCOUNTS),
    )
