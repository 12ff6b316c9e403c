"""Does advanced hunting of Defender XDR answer, and does it hold the tables that are asked for there?"""

from __future__ import annotations

from collections.abc import Sequence

from respond.clients.clouds import cloud_of
from respond.doctor.patient import Patient
from respond.errors import Forbidden, Permanent
from respond.models.checkup import Result, error, ok, skipped, warning

_TABLES = {"EntraIdSignInEvents": "hunt_confirmations (needs Entra ID P2)"}
"""Table -> who asks for it."""


async def hunting(patient: Patient) -> Sequence[Result]:
    """One question without a table, then one for each table."""
    if not patient.settings.hunt.defender:
        return [skipped("Defender hunting", "off (hunt.defender)")]
    if cloud_of(patient.settings).lacks:
        return [skipped("Defender hunting", f"does not exist in the {patient.settings.tenant.cloud} cloud")]
    try:
        await patient.clients.defender.query("print Answer = 1")
    except Forbidden as refused:
        todo = "grant ThreatHunting.Read.All to the reading identity, or set hunt.defender = false"
        return [error("Defender hunting", refused.message, todo)]
    return [ok("Defender hunting", "answers"), *[await _table(patient, name, why) for name, why in _TABLES.items()]]


async def _table(patient: Patient, name: str, asked_by: str) -> Result:
    try:
        await patient.clients.defender.query(f"{name} | take 1")
    except Permanent as refused:
        todo = "connect Entra ID in Defender XDR, or live with the gap"
        return warning(name, f"not in Defender: {refused.message}; asked by {asked_by}", todo)
    return ok(name, "present in Defender")
