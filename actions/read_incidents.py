"""What did analysts decide? Classified incidents of the workspace, with the accounts that their alerts name.

An account is found by object id, or by name and suffix; a name alone could be anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from respond.clients.rows import Row, moment, text
from respond.models.case import Case
from respond.models.incidents import Classification, Classified, Incidents
from respond.step import inquiry, read_action


@read_action("Log Analytics Reader")
async def read_incidents(case: Case) -> Incidents:
    """Every classified incident whose activity began within the window."""
    asking = inquiry(case, "read_incidents")
    rows = await asking.ask("read_incidents", source="SecurityIncident", **case.span)
    return Incidents(found=tuple(map(_classified, rows)), gaps=asking.gaps)


def _classified(row: Row) -> Classified:
    return Classified(
        number=row["IncidentNumber"],
        classification=Classification.read(text(row, "Classification")),
        first=moment(row, "First"),
        last=moment(row, "Last"),
        accounts=frozenset(_accounts(text(row, "Entities"))),
    )


def _accounts(entities: str) -> Iterable[str]:
    """Object ids and UPNs, in lower case."""
    try:
        found = json.loads(entities or "[]")
    except ValueError:
        return
    for entity in found if isinstance(found, list) else []:
        if isinstance(entity, dict) and str(entity.get("Type", "")).lower() == "account":
            yield from _names(entity)


def _names(entity: Mapping[str, Any]) -> Iterable[str]:
    if entity.get("AadUserId"):
        yield str(entity["AadUserId"]).lower()
    if entity.get("Name") and entity.get("UPNSuffix"):
        yield f"{entity['Name']}@{entity['UPNSuffix']}".lower()
