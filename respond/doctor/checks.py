"""Every check, in the order of the table; and running them: at the same time, each within its own limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from respond.doctor import access, configuration, credential, defender, intake, outside, people, permissions, state
from respond.doctor import clock as clocks
from respond.doctor import workspace as workspaces
from respond.doctor.patient import Check, Patient
from respond.durations import format_duration
from respond.errors import RespondError
from respond.models.checkup import Checkup, Result, error
from respond.plain_errors import named
from respond.settings import tenant_of

_TABLES = timedelta(seconds=90)

CHECKS: tuple[Check, ...] = (
    Check("settings", "configuration", configuration.configuration),
    Check("settings", "limits", configuration.limits),
    Check("settings", "break-glass accounts", configuration.break_glass),
    Check("state", "state database", state.database),
    Check("state", "state schema", state.schema),
    Check("identity", "reads as", credential.reader),
    Check("identity", "writes as", credential.writer),
    Check("identity", "clock", clocks.clock),
    Check("permissions", "permissions to read", permissions.reading),
    Check("permissions", "permissions to write", permissions.writing),
    Check("workspace", "workspace", workspaces.reachable),
    Check("workspace", "tables", workspaces.tables, _TABLES),
    Check("tenant", "Entra ID P2", access.licence),
    Check("tenant", "Defender hunting", defender.hunting),
    Check("tenant", "device code flow", access.device_code_flow),
    Check("people", "accounts", people.accounts),
    Check("people", "groups", people.groups),
    Check("people", "roles", people.roles),
    Check("around", "webhook", intake.authentication),
    Check("around", "signing keys", intake.signing_keys),
    Check("around", "tickets", outside.tickets),
    Check("around", "notices", outside.notices),
)


async def look_at(patient: Patient, checks: Sequence[Check] = CHECKS) -> Checkup:
    """Run all checks. One that breaks is a line of its own and stops no other."""
    found = await asyncio.gather(*(_results(check, patient) for check in checks))
    return Checkup(
        tenant=tenant_of(patient.settings),
        mode=patient.settings.tenant.mode,
        config=str(patient.config),
        results=tuple(result for results in found for result in results),
    )


async def _results(check: Check, patient: Patient) -> list[Result]:
    try:
        async with asyncio.timeout(check.limit.total_seconds()):
            results = await check.look(patient)
    except TimeoutError:
        results = [error(check.name, f"no answer within {format_duration(check.limit)}", "try again; see the network")]
    except RespondError as broken:
        results = [error(check.name, broken.message, "put that right, then run respond doctor again")]
    except Exception as broken:  # noqa: BLE001 - the edge: a defect of one check must not take the others' answers
        what = f"defect: {named(broken)}"
        results = [error(check.name, what, "report it; the other lines hold")]
    return [result.model_copy(update={"group": check.group}) for result in results]
