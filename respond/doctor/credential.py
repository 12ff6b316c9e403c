"""Is there a token, and whose?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt

from respond.clients.credentials import identity_of
from respond.doctor.patient import Patient
from respond.errors import RespondError
from respond.models.checkup import Result, error, ok, warning
from respond.settings import IdentityKind

_KINDS = {IdentityKind.DEFAULT: "the first of environment, workload identity, managed identity, Azure CLI"}
_TODO = "set tenant.read and tenant.write (respond init prints what creates them), then check authority and tenant_id"


async def reader(patient: Patient) -> Sequence[Result]:
    """The identity that asks: a token for Graph, Log Analytics and Azure."""
    clients = patient.clients
    scopes = {"Graph": clients.graph.scope, "Log Analytics": clients.logs.scope, "Azure": clients.sentinel.scope}
    return await _tokens(patient, "reads as", scopes, writes=False)


async def writer(patient: Patient) -> Sequence[Result]:
    """The identity that changes things: a token for Graph and Azure."""
    if not has_two(patient):
        return [ok("writes as", "the same identity", "two keep a stolen reading token from containing anybody")]
    scopes = {"Graph": patient.clients.graph.scope, "Azure": patient.clients.sentinel.scope}
    return await _tokens(patient, "writes as", scopes, writes=True)


def has_two(patient: Patient) -> bool:
    """Whether writing has an identity of its own."""
    write = patient.settings.tenant.write
    return bool(write.client_id if patient.settings.is_lab else write.kind)


async def claims_of(patient: Patient, *, writes: bool) -> dict[str, Any]:
    """What our own token for Graph says. It is ours and comes straight from the issuer, so nothing is verified.

    Raises:
        RespondError: there is none.
    """
    token = await patient.clients.token(patient.clients.graph.scope, writes=writes)
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except jwt.PyJWTError:
        return {}  # Microsoft may make it opaque at any time


async def _tokens(patient: Patient, name: str, scopes: dict[str, str], *, writes: bool) -> Sequence[Result]:
    lost = []
    for service, scope in scopes.items():
        try:
            await patient.clients.token(scope, writes=writes)
        except RespondError as refused:
            lost.append((service, refused.message))
    if lost:
        return [error(name, f"{', '.join(service for service, _ in lost)}: {lost[0][1]}", _TODO)]
    claims = await claims_of(patient, writes=writes)
    _, identity = identity_of(patient.settings, writes=writes)
    kind = "lab" if patient.settings.is_lab else _KINDS.get(identity.kind, identity.kind.value)
    who = f"{kind}, client {claims.get('appid') or claims.get('azp') or '?'}, object {claims.get('oid') or '?'}"
    if claims.get("idtyp") == "user" or "scp" in claims:
        todo = "for developers only: a service needs a managed identity or a certificate"
        return [warning(name, f"{who}: a person's token", todo)]
    return [ok(name, who)]
