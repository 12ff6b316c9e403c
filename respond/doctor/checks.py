"""Every check, in the order of the table; and running them: at the same time, each within its own limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from respond.doctor import (
    access,
    configuration,
    credential,
    defender,
    expiry,
    intake,
    outside,
    people,
    permissions,
    state,
)
from respond.doctor import clock as clocks
from respond.doctor import workspace as workspaces
from respond.doctor.patient import Asks, Check, Patient
from respond.durations import format_duration
from respond.errors import RespondError
from respond.models.checkup import Checkup, Health, Result, error, skipped
from respond.plain_errors import named
from respond.settings import tenant_of

_TABLES = timedelta(seconds=90)
_IDENTITIES = (credential.reader, credential.writer)

CHECKS: tuple[Check, ...] = (
    Check("settings", "configuration", configuration.configuration),
    Check("settings", "limits", configuration.limits),
    Check("settings", "break-glass accounts", configuration.break_glass),
    Check("state", "state database", state.database),
    Check("state", "state schema", state.schema),
    Check("identity", "reads as", credential.reader),
    Check("identity", "writes as", credential.writer),
    Check("identity", "clock", clocks.clock),
    Check("identity", "credentials", expiry.credentials),
    Check("permissions", "permissions to read", permissions.reading, asks=Asks.GRAPH),
    Check("permissions", "permissions to write", permissions.writing, asks=Asks.GRAPH, writes=True),
    Check("workspace", "workspace", workspaces.reachable, asks=Asks.LOGS),
    Check("workspace", "tables", workspaces.tables, _TABLES, asks=Asks.LOGS, after="workspace"),
    Check("tenant", "Entra ID P2", access.licence, asks=Asks.GRAPH),
    Check("tenant", "Defender hunting", defender.hunting, asks=Asks.GRAPH),
    Check("tenant", "device code flow", access.device_code_flow, asks=Asks.GRAPH),
    Check("people", "accounts", people.accounts, asks=Asks.GRAPH),
    Check("people", "groups", people.groups, asks=Asks.GRAPH),
    Check("people", "roles", people.roles, asks=Asks.GRAPH),
    Check("around", "webhook", intake.authentication),
    Check("around", "signing keys", intake.signing_keys),
    Check("around", "tickets", outside.tickets),
    Check("around", "notices", outside.notices),
)


async def look_at(patient: Patient, checks: Sequence[Check] = CHECKS) -> Checkup:
    """Run all checks. One that breaks is a line of its own and stops no other.

    Identities come first: what needs a token that cannot be had is skipped, as is what waits for a check that failed.
    """
    begun: dict[str, asyncio.Task[list[Result]]] = {}
    first = [check for check in checks if check.look in _IDENTITIES]
    found = {check.name: await _results(check, patient, begun) for check in first}
    for check in checks:
        if check not in first:
            begun[check.name] = asyncio.create_task(_results(check, patient, begun))
    found |= {name: await task for name, task in begun.items()}
    return Checkup(
        tenant=tenant_of(patient.settings),
        mode=patient.settings.tenant.mode,
        config=str(patient.config),
        results=tuple(result for check in checks for result in found[check.name]),
    )


async def _results(check: Check, patient: Patient, begun: Mapping[str, asyncio.Task[list[Result]]]) -> list[Result]:
    results = await _skipped(check, patient, begun) or await _found(check, patient)
    return [result.model_copy(update={"group": check.group}) for result in results]


async def _skipped(check: Check, patient: Patient, begun: Mapping[str, asyncio.Task[list[Result]]]) -> Sequence[Result]:
    """A line that says why a check is not made; none where it is."""
    writes = check.writes and credential.has_two(patient)
    if check.asks and patient.tokens.get((check.asks, writes)):
        return [skipped(check.name, "no token")]
    if check.after in begun and any(result.status is Health.ERROR for result in await begun[check.after]):
        return [skipped(check.name, f"see {check.after}")]
    return []


async def _found(check: Check, patient: Patient) -> Sequence[Result]:
    try:
        async with asyncio.timeout(check.limit.total_seconds()):
            return await check.look(patient)
    except TimeoutError:
        return [error(check.name, f"no answer within {format_duration(check.limit)}", "try again; see the network")]
    except RespondError as broken:
        return [error(check.name, broken.message, "put that right, then run respond doctor again")]
    except Exception as broken:  # noqa: BLE001 - the edge: a defect of one check must not take the others' answers
        return [error(check.name, f"defect: {named(broken)}", "report it; the other lines hold")]
