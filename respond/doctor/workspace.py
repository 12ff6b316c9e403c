"""Does the workspace answer, and is each table that our queries read there, fresh, and on a plan that takes them?

https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from respond.clients.whereabouts import Where, where_is
from respond.doctor.patient import Patient
from respond.durations import format_duration
from respond.errors import BadQuery, Forbidden, NotFound, RespondError, TableMissing, Transient, Unauthenticated
from respond.log_schema import sentinel_tables
from respond.models.checkup import Result, error, ok, warning
from respond.models.signin import DEFENDER_TABLE
from respond.settings import Place, Sources, shipped_config

_ESSENTIAL = ("SigninLogs", "AADNonInteractiveUserSignInLogs")
_FRESH = timedelta(hours=24)
_LOOK_BACK = timedelta(days=7)
_EVER = timedelta(days=90)
_NOT_CODE = re.compile(r"//[^\n]*|\"(?:\\.|[^\"\\\n])*\"")
_STEADY = frozenset(
    {
        *_ESSENTIAL,
        "AuditLogs",
        "AADGraphActivityLogs",
        "CloudAppEvents",
        "EmailEvents",
        "EmailUrlInfo",
        "EmailAttachmentInfo",
        "MicrosoftGraphActivityLogs",
        "OfficeActivity",
    }
)
"""Tables that get rows every day once they get any; in the others a quiet day says nothing."""
_PROBES = frozenset({"published_hunt"})
"""Queries that no action asks."""
_TODO = {
    "SigninLogs": "Entra ID, Diagnostic settings: send SignInLogs to the workspace",
    "AADNonInteractiveUserSignInLogs": "Entra ID, Diagnostic settings: send NonInteractiveUserSignInLogs",
    "AuditLogs": "Entra ID, Diagnostic settings: send AuditLogs",
    "AADRiskyUsers": "Entra ID, Diagnostic settings: send RiskyUsers (P2)",
    "MicrosoftGraphActivityLogs": "Entra ID, Diagnostic settings: send MicrosoftGraphActivityLogs (P1)",
    "AADGraphActivityLogs": "Entra ID, Diagnostic settings: send AzureADGraphActivityLogs (P1)",
    "OfficeActivity": "Sentinel, Data connectors: Microsoft 365",
    "IdentityInfo": "Sentinel, Settings: turn on UEBA",
}
_LET_READ = "give the reading identity a role that includes this table, such as Log Analytics Reader on the workspace"
_CONNECT = "Sentinel, Data connectors: connect its source, or live with the gap"


async def reachable(patient: Patient) -> Sequence[Result]:
    """The smallest query there is."""
    began = time.monotonic()
    try:
        async with patient.room:
            await patient.clients.logs.query("print Answer = 1")
    except RespondError as refused:
        return [error("workspace", refused.message, _remedy(refused))]
    return [ok("workspace", f"answers in {time.monotonic() - began:.1f} s")]


def _remedy(refused: RespondError) -> str:
    """What to do when the workspace does not answer a query."""
    if isinstance(refused, Forbidden):
        return "assign Log Analytics Reader on the workspace to the reading identity; it takes up to an hour"
    if isinstance(refused, Unauthenticated):
        return (
            "check tenant.cloud, tenant.tenant_id and this machine's clock: the token is of another tenant or expired"
        )
    if isinstance(refused, Transient):
        return "check tenant.logs_endpoint, tenant.cloud and the way out of this network; then try again"
    return "check tenant.workspace_id: the workspace's id, not its name, in this tenant and cloud"


async def tables(patient: Patient) -> Sequence[Result]:
    """Each table of our queries: the essential ones first."""
    used = queries_by_table()
    names = [*_ESSENTIAL, *sorted(used.keys() - set(_ESSENTIAL))]
    arriving = await _arriving(patient)
    return await asyncio.gather(*(_table(patient, name, used[name], arrives=name in arriving) for name in names))


async def _arriving(patient: Patient) -> frozenset[str]:
    """Tables that have received rows, including those that this identity may not read; empty if that cannot be read.

    https://learn.microsoft.com/azure/azure-monitor/reference/tables/usage
    """
    days = format_duration(_LOOK_BACK)
    try:
        async with patient.room:
            rows = await patient.clients.logs.query(
                f"Usage | where TimeGenerated > ago({days}) and Quantity > 0 | distinct DataType"
            )
    except RespondError:
        return frozenset()
    return frozenset(str(row.get("DataType")) for row in rows)


@cache
def queries_by_table() -> Mapping[str, tuple[str, ...]]:
    """Table of the workspace -> the queries that read it."""
    found: dict[str, list[str]] = {}
    for path in sorted((shipped_config() / "queries").glob("*.kql")):
        name = path.name.partition(".")[0]
        code = _NOT_CODE.sub(" ", path.read_text(encoding="utf-8"))
        for table in sentinel_tables().keys() & set(re.findall(r"\w+", code)):
            if name not in _PROBES and name not in found.setdefault(table, []):
                found[table].append(name)
    return {table: tuple(names) for table, names in found.items() if names}


async def _table(patient: Patient, name: str, used_by: Sequence[str], *, arrives: bool) -> Result:
    if name in Sources.model_fields and patient.settings.sources.of(name) is Place.DEFENDER:
        return await _elsewhere(patient, name, used_by)
    logs = patient.clients.logs
    days = format_duration(_LOOK_BACK)
    try:
        async with patient.room:
            recent = f"{name} | where TimeGenerated > ago({days})"
            rows = await logs.query(f"{recent} | summarize Newest = max(TimeGenerated)")
            newest = rows[0]["Newest"] if rows else None
            plan, protected = await _plan(patient, name)
            whole = f"{name} | where TimeGenerated > ago({format_duration(_EVER)}) | take 1"
            ever = newest is not None or bool(await logs.query(whole))
    except TableMissing:
        if await _is_hidden(patient, name):
            return error(name, "exists, and is hidden from the reading identity: table-level access", _LET_READ)
        return await _elsewhere(patient, name, used_by)
    except Forbidden as refused:
        return error(
            name, f"may not be read, though the workspace may: table-level access. {refused.message}", _LET_READ
        )
    except RespondError as refused:
        return error(name, refused.message, _remedy(refused))
    return _protected(name) if protected else _judged(name, newest, plan, ever=ever, arrives=arrives)


def _protected(name: str) -> Result:
    found = "protected: rows that the reading identity may not read are left out, and no error says so"
    return warning(name, found, "assign it a role whose condition names this table")


async def _is_hidden(patient: Patient, name: str) -> bool:
    """Whether Azure knows a table that the workspace says it does not have: that is how table-level access looks.

    https://learn.microsoft.com/azure/azure-monitor/logs/manage-table-access
    """
    workspace = patient.settings.tenant.workspace_resource_id
    if not workspace:
        return False
    try:
        await patient.clients.sentinel.plan(workspace, name)
    except RespondError:
        return False
    return True


async def _elsewhere(patient: Patient, name: str, used_by: Sequence[str]) -> Result:
    """A table that is not read in the workspace: Defender XDR may have it."""
    missing, todo = f"missing; read by {', '.join(used_by)}", _TODO.get(name, _CONNECT)
    if name not in Sources.model_fields:
        return warning(name, missing, todo)
    try:
        async with patient.room:
            found = await where_is(patient.clients.places, name)
    except RespondError as refused:
        return error(name, refused.message, "see the line of the workspace")
    report = error if name in _ESSENTIAL else warning
    if found.where is not Where.DEFENDER:
        return report(name, f"{missing}; nor in Defender XDR" if found.reason else missing, todo)
    if name in _ESSENTIAL:
        return error(name, f"{missing}; Defender's {DEFENDER_TABLE} shows such sign-ins, but not all of them", todo)
    return ok(name, "read in Defender XDR")


def _judged(name: str, newest: object, plan: str, *, ever: bool, arrives: bool) -> Result:
    on = f", {plan} plan"
    if plan != "Analytics":
        found = f"present{on}: queries that join are refused, and plainer ones see less"
        return warning(name, found, "set the table's plan to Analytics")
    if not isinstance(newest, datetime) and arrives:
        since = format_duration(_LOOK_BACK)
        found = f"rows arrived in the last {since} (Usage), and the reading identity sees none: row-level access"
        report = error if name in _ESSENTIAL else warning
        return report(name, found, f"{_LET_READ}, without a condition that leaves its rows out")
    if not isinstance(newest, datetime):
        # Of the others many are quiet by nature, or of a source that is not in use.
        found = f"present, empty for {format_duration(_LOOK_BACK)}{on}"
        if not ever:
            # A scoped role and a protected table leave rows out without a word.
            found = f"present, no row in {format_duration(_EVER)}{on}: empty, or hidden from the reading identity"
        return warning(name, found, _TODO[name]) if name in _ESSENTIAL else ok(name, found)
    age = max(datetime.now(UTC) - newest, timedelta(0))
    found = f"newest row {_rounded(age)} old{on}"
    if age > _FRESH and name in _STEADY:
        return warning(name, found, "look at its connector: has it stopped?")
    return ok(name, found)


async def _plan(patient: Patient, name: str) -> tuple[str, bool]:
    """A table's plan, and whether it is known to be protected.

    As Azure says, where the settings name the workspace's resource; else the plan by what the table refuses.
    """
    tenant = patient.settings.tenant
    workspace = tenant.workspace_resource_id
    if workspace:
        try:
            return await patient.clients.sentinel.plan(workspace, name)
        except (NotFound, Forbidden):
            pass  # another workspace, or no Reader there: what the table refuses still tells
    one = f"{name} | take 1"
    try:
        await patient.clients.logs.query(f"{one} | join kind=inner ({one}) on TimeGenerated | count")
    except BadQuery:
        return "Basic or Auxiliary", False
    return "Analytics", False


def _rounded(age: timedelta) -> str:
    seconds = age.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
