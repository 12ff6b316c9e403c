"""`respond hunt`: every device code sign-in of the tenant with its verdict; or the published hunt, verbatim."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from respond.cli.user import read_since
from respond.defang import json_text
from respond.settings import config_dir, load_settings, shipped_config

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from respond.clients.log_answer import Rows
    from respond.models.survey import Survey

_SHOWN = {
    "TimeGenerated": "when",
    "UserPrincipalName": "user",
    "AppDisplayName": "app",
    "IPAddress": "address",
    "Country": "country",
    "IsCompliant": "compliant",
    "RiskLevelDuringSignIn": "risk",
    "UserAgent": "user agent",
}


def hunt_published(*, since: str | None, as_json: bool, config: str | None) -> int:
    """Run hunt-2025-042 verbatim and print its rows. It has no filter on the result: interrupts and failures are in."""
    directory = config_dir(config)
    length = read_since(since) or load_settings(directory).hunt.since
    rows = asyncio.run(_rows(directory, datetime.now(UTC) - length))
    if as_json:
        sys.stdout.write(json.dumps(list(rows), default=_json_value, indent=2) + "\n")
        return 0
    from respond.console.tables import print_rows

    print_rows("hunt-2025-042, General Device Code Authentication Visibility, by Paul Newton", rows, _SHOWN)
    return 0


def hunt_tenant(*, since: str | None, as_json: bool, config: str | None) -> int:
    """Judge every device code sign-in of the tenant and print them, worst first."""
    directory = config_dir(config)
    length = read_since(since) or load_settings(directory).hunt.since
    survey = asyncio.run(_survey(directory, length))
    if as_json:
        sys.stdout.write(json_text(survey.model_dump_json(by_alias=True, indent=2)) + "\n")
        return 0
    from respond.console.survey import print_survey

    print_survey(survey)
    return 0


async def _survey(config: Path, length: timedelta) -> Survey:
    from respond.session import open_survey

    async with open_survey(config) as session:
        from playbooks.tenant_hunt import tenant_hunt

        survey = await tenant_hunt(session.case(length), at_once=session.settings.hunt.users_at_once)
        return survey.model_copy(update={"queries": session.queries})


async def _rows(config: Path, start: datetime) -> Rows:
    from respond.session import open_clients

    text = (shipped_config() / "queries" / "published_hunt.kql").read_text(encoding="utf-8")
    async with open_clients(config) as clients:
        return await clients.logs.query(text, start=start)


def _json_value(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
