"""Do the accounts, groups and roles of the policy exist? One that does not protects nobody, and nobody notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from respond.doctor.patient import Patient
from respond.errors import Forbidden, NotFound
from respond.models.checkup import Result, error, ok, skipped

_AT_ONCE = 15


async def accounts(patient: Patient) -> Sequence[Result]:
    """Object ids of users."""
    kinds, protected = patient.policy.accounts, patient.policy.ladder.protected
    listed = {
        "accounts.break_glass": kinds.break_glass,
        "accounts.rooms": kinds.rooms,
        "accounts.services": kinds.services,
        "ladder.protected.accounts": protected.accounts,
    }
    ids = sorted({one.lower() for found in listed.values() for one in found})
    if not ids:
        return [skipped("accounts", "policy.toml and ladder.toml list none")]
    known: set[str] = set()
    try:
        for some in _pieces(ids):
            known |= {account.id.lower() for account in await patient.clients.graph.accounts(some)}
    except Forbidden:
        return [skipped("accounts", "cannot be read", "grant User.Read.All to see them here")]
    lost = [
        error("accounts", f"{key}: {one} is no account of the tenant", "correct the id, or take it out")
        for key, found in listed.items()
        for one in found
        if one.lower() not in known
    ]
    return lost or [ok("accounts", f"all {len(ids)} exist")]


async def groups(patient: Patient) -> Sequence[Result]:
    """Object ids of groups."""
    listed = {
        "accounts.device_groups": patient.policy.accounts.device_groups,
        "ladder.protected.groups": patient.policy.ladder.protected.groups,
    }
    return await _each("groups", listed, patient.clients.graph.tenant.group, "GroupMember.Read.All")


async def roles(patient: Patient) -> Sequence[Result]:
    """Template ids of directory roles."""
    listed = {"ladder.protected.roles": patient.policy.ladder.protected.roles}
    return await _each("roles", listed, patient.clients.graph.tenant.role, "RoleManagement.Read.Directory")


async def _each(
    name: str, listed: dict[str, tuple[str, ...]], ask: Callable[[str], Awaitable[str]], permission: str
) -> Sequence[Result]:
    ids = [(key, one) for key, found in listed.items() for one in found]
    if not ids:
        return [skipped(name, "policy.toml and ladder.toml list none")]
    names, lost = [], []
    for key, one in ids:
        try:
            names.append(await ask(one))
        except NotFound:
            what = f"{key}: {one} is none of the tenant's {name}"
            lost.append(error(name, what, "correct the id, or take it out"))
        except Forbidden:
            return [skipped(name, "cannot be read", f"grant {permission} to see them here")]
    return lost or [ok(name, f"all {len(ids)} exist: {', '.join(names)}")]


def _pieces(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
