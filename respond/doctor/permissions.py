"""Does the token carry what the enabled actions need, and nothing that is not needed?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from respond.doctor.credential import claims_of, has_two
from respond.doctor.declared import Need
from respond.doctor.needs import DANGEROUS, beyond, enabled, is_graph, is_read, is_write, optional, unneeded
from respond.doctor.patient import Patient
from respond.models.checkup import Result, error, ok, skipped, warning

ONLY_DOCTOR = {"Policy.Read.All": "respond doctor reads Conditional Access"}
"""What no action needs, and this command can do without."""

_GRANT = "grant it to the application (respond init prints the commands), with admin consent"


async def reading(patient: Patient) -> Sequence[Result]:
    """The token that asks; all of them where one identity does both."""
    if has_two(patient):
        return await _compare(patient, "permissions to read", is_read, writes=False)
    return await _compare(patient, "permissions", lambda *_: True, writes=False)


async def writing(patient: Patient) -> Sequence[Result]:
    """The token that changes things, where it is another one; and the Azure role, which no token names."""
    roles = [name for name in enabled(patient.settings, patient.policy) if not is_graph(name)]
    found = f"{' and '.join(roles)} on the workspace: no token names them"
    results = [skipped("Azure roles", found, "the line of the workspace shows the first; an incident, the other")]
    if has_two(patient):
        return [*await _compare(patient, "permissions to write", is_write, writes=True), *results]
    return results


async def _compare(
    patient: Patient, name: str, wanted: Callable[[str, Sequence[Need]], bool], *, writes: bool
) -> Sequence[Result]:
    claims = await claims_of(patient, writes=writes)
    if not claims:
        return [skipped(name, "the token for Graph cannot be read", "the first response shows what is missing")]
    if "roles" not in claims and "scp" not in claims:
        return [error(name, "the token for Graph carries no permission", f"{_GRANT}; a new token takes up to an hour")]
    held = {*claims.get("roles", ()), *str(claims.get("scp", "")).split()}
    needed = {
        permission: why
        for permission, why in enabled(patient.settings, patient.policy).items()
        if is_graph(permission) and wanted(permission, why)
    }
    apart = {permission: needed.pop(permission) for permission in optional(patient.policy, needed)}
    missing = needed.keys() - held
    instead = {permission: wider for permission in missing if (wider := beyond(permission, held))}
    results = [_missing(permission, needed[permission], instead.get(permission, "")) for permission in sorted(missing)]
    results += _superfluous(patient, held - needed.keys() - apart.keys() - set(instead.values()))
    if lacking := sorted(apart.keys() - held):
        told = ", ".join(f"{one} ({_names(need.action for need in apart[one])})" for one in lacking)
        results.append(skipped("optional permissions", f"not granted: {told}", "a person does that by hand"))
    return results if missing else [ok(name, f"all {len(needed)} that the enabled actions need"), *results]


def _missing(permission: str, why: Sequence[Need], wider: str) -> Result:
    needed = f"needed by {_names(need.action for need in why)}"
    if wider:
        return warning(
            permission,
            f"covered by {wider}, which reaches further; {needed}",
            "grant it; then the wider one, if nothing else needs it, can go",
        )
    return error(permission, f"missing; {needed}", _GRANT)


def _superfluous(patient: Patient, extra: set[str]) -> list[Result]:
    ruled_out = unneeded(patient.settings, patient.policy)
    results = [
        warning(permission, f"granted, not needed: {DANGEROUS[permission]}", "take it away")
        for permission in sorted(extra & DANGEROUS.keys())
    ]
    harmless = sorted(filter(is_graph, extra - DANGEROUS.keys() - ONLY_DOCTOR.keys()))
    if harmless:
        told = (f"{name} ({_names(ruled_out[name])}: never)" if name in ruled_out else name for name in harmless)
        results.append(ok("superfluous", f"granted, not needed: {', '.join(told)}", "take away what nobody will miss"))
    return results


def _names(actions: Iterable[str]) -> str:
    return ", ".join(sorted(set(actions)))
