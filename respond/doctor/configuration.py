"""Are the settings sound, beyond that they can be read?"""

from __future__ import annotations

from collections.abc import Sequence

from respond.clients.clouds import cloud_of
from respond.clients.credentials import weak_identities
from respond.doctor.patient import Patient
from respond.models.checkup import Result, ok, warning
from respond.models.ladder import OnTimeout
from respond.settings import Cloud

_MUCH = 0.25
_SENTINEL_IN_CHINA = "Microsoft Sentinel retired in Azure China on 2026-08-18: nothing there delivers incidents"


async def configuration(patient: Patient) -> Sequence[Result]:
    """Which configuration holds, in which cloud, and what that cloud lacks."""
    tenant = patient.settings.tenant
    where = f"{patient.config}: {tenant.mode} mode, {tenant.cloud} cloud"
    named = [key for key in ("graph_endpoint", "logs_endpoint", "arm_endpoint", "authority") if getattr(tenant, key)]
    results = [ok("configuration", f"{where}{', own ' + ', '.join(named) if named else ''}")]
    if tenant.cloud is Cloud.CHINA:
        lacks = " and ".join(name for _, name in cloud_of(patient.settings).lacks)
        todo = "live on the schedule and respond --user: both ask the workspace alone"
        results.append(warning("cloud", _SENTINEL_IN_CHINA, todo))
        results.append(warning("cloud", f"{lacks} do not exist there", "nothing: that evidence is a gap in every case"))
    for key in weak_identities(patient.settings):
        found = f"{key}: a secret is a password that leaks and expires"
        results.append(warning("secret", found, f'set kind = "certificate" or "managed-identity" instead of {key}'))
    return results


async def limits(patient: Patient) -> Sequence[Result]:
    """Do the brakes hold anything back, and is there time to answer?"""
    ladder, retry = patient.policy.ladder, patient.settings.retry
    brakes, wrong = ladder.limits, []
    if brakes.per_run > brakes.per_hour:
        wrong.append(("per_run is above per_hour, so it holds nothing back", "lower ladder.limits.per_run"))
    if brakes.share > _MUCH:
        many = f"{brakes.share:.0%} of all users may be contained in a day without a word"
        wrong.append((many, f"lower ladder.limits.share to {_MUCH:g} or less"))
    if ladder.approval.on_timeout is OnTimeout.APPROVE:
        wrong.append(("a question that nobody answers is a yes", 'set ladder.approval.on_timeout = "deny"'))
    if retry.request_timeout > min(retry.read_budget, retry.write_budget):
        wrong.append(("one request may take longer than all tries together", "lower retry.request_timeout"))
    if wrong:
        return [warning("limits", found, todo) for found, todo in wrong]
    held = f"{brakes.per_run} people a run, {brakes.per_hour} an hour, {brakes.share:.0%} of the users in 24 h"
    return [ok("limits", held)]


async def break_glass(patient: Patient) -> Sequence[Result]:
    """Is the last way into the tenant known, so that nobody closes it?"""
    listed = patient.policy.accounts.break_glass
    if listed:
        return [ok("break-glass accounts", f"{len(listed)} listed")]
    todo = "list their object ids under accounts.break_glass in policy.toml: they are never signed out by themselves"
    return [warning("break-glass accounts", "none listed", todo)]
