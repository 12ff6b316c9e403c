"""An incident of the lab's Sentinel, and the actions that answer back to it, run as a playbook would run them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from respond.lab import scenario
from respond.lab.constants import SECURITY_INSIGHTS
from respond.models.case import Mode
from respond.session import open_survey
from respond.settings import shipped_config

NAME = "73e01a99-5cd7-4139-a149-9f2736ff2ab5"
INCIDENT = f"{SECURITY_INSIGHTS}/Incidents/{NAME}"
VERSION = "api-version=2025-09-01"
ENTRY: dict[str, Any] = {
    "incident": {
        "name": NAME,
        "properties": {
            "title": "Device code sign-in from a new place",
            "description": "An account approved a device code.",
            "severity": "Medium",
            "status": "New",
            "labels": [{"labelName": "pilot", "labelType": "User"}],
            "owner": {"objectId": None, "email": "ann@contoso.com", "assignedTo": "Ann", "userPrincipalName": None},
            "incidentNumber": 4711,
            "createdTimeUtc": "2026-01-15T09:30:00.1234567Z",
            "firstActivityTimeUtc": "2026-01-15T09:24:58Z",
            "lastActivityTimeUtc": "2026-01-15T09:25:30.5Z",
            "someNewProperty": {"kept": True},
        },
    },
    "entities": [
        {
            "id": f"{SECURITY_INSIGHTS}/Entities/e1",
            "name": "e1",
            "type": "Microsoft.SecurityInsights/Entities",
            "kind": "Account",
            "properties": {"aadUserId": "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11", "accountName": "target.user"},
        },
        {"kind": "Ip", "properties": {"address": "198.51.100.7"}},
    ],
    "alerts": [
        {"kind": "SecurityAlert", "properties": {"systemAlertId": "a1", "timeGenerated": "2026-01-15T09:29:00Z"}}
    ],
}


def entry(*, entities_after: float = 0, **properties: Any) -> dict[str, Any]:
    """The entry with other properties; None takes one out."""
    incident = ENTRY["incident"]
    merged = {name: value for name, value in {**incident["properties"], **properties}.items() if value is not None}
    return {**ENTRY, "incident": {**incident, "properties": merged}, "entitiesAfter": entities_after}


def seed_with_incident(folder: Path, *entries: dict[str, Any]) -> Path:
    """A copy of the seed that has incidents."""
    place = Path(shutil.copytree(scenario.find("seed-true-positive"), folder / "with-incident", dirs_exist_ok=True))
    (place / "incidents.json").write_text(json.dumps(entries or [ENTRY]))
    return place


T = TypeVar("T")


def act(
    action: Callable[..., Coroutine[Any, Any, T]], *, dry_run: bool = False, case: str = "DC-TEST", **given: Any
) -> T:
    """Call an action outside a run, in a process set up as for one; settings and lab are the environment's."""

    async def call() -> T:
        async with open_survey(shipped_config()) as survey:
            mode = Mode.DRY_RUN if dry_run else Mode.LIVE
            about = survey.case(survey.settings.hunt.since).model_copy(
                update={"mode": mode, "id": case, "who": "target.user@contoso.com"}
            )
            return await action(about, **given)

    return asyncio.run(call())
