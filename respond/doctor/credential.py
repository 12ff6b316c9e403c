"""Is there a token, and whose?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import jwt

from respond.clients.credentials import ADVICE, identity_of
from respond.doctor.patient import Asks, Patient
from respond.errors import RespondError, Transient, UsageError
from respond.models.checkup import Result, error, ok, skipped, warning
from respond.settings import IdentityKind

_KINDS = {IdentityKind.DEFAULT: "the first of environment, workload identity, managed identity, Azure CLI"}
_SET_UP = (
    "set {key}, and check tenant.tenant_id and tenant.authority (respond init writes a script that creates identities)"
)
_TODO = {
    IdentityKind.MANAGED: "assign the managed identity to this machine or container, and set {key}.client_id to its "
    "client id; elsewhere than in Azure take another kind",
    IdentityKind.WORKLOAD: "check {key}.token_file and {key}.client_id, and issuer, subject and audience of the "
    "application's federated credential",
    IdentityKind.CERTIFICATE: "check {key}.client_id and {key}.certificate: it has to be registered with that "
    "application, and valid (the script of respond init does both)",
    IdentityKind.SECRET: "check {key}.client_id, and make a new secret if this one has expired",
    IdentityKind.CLI: "sign in: az login --tenant {tenant}",
    IdentityKind.DEFAULT: _SET_UP,
}
"""What to do when an identity of a kind gets no token."""
_NETWORK = "check tenant.authority, tenant.cloud and the way out of this network"


async def reader(patient: Patient) -> Sequence[Result]:
    """The identity that asks: a token for Graph, Log Analytics and Azure."""
    clients = patient.clients
    scopes = {
        Asks.GRAPH: clients.graph.scope,
        Asks.LOGS: clients.logs.scope,
        Asks.AZURE: clients.sentinel.scope,
    }
    return await _tokens(patient, "reads as", scopes, writes=False)


async def writer(patient: Patient) -> Sequence[Result]:
    """The identity that changes things: a token for Graph and Azure."""
    if not has_two(patient):
        if any(patient.tokens.values()):
            return [skipped("writes as", "the same identity: no token")]
        return [ok("writes as", "the same identity", "two keep a stolen reading token from containing anybody")]
    scopes = {Asks.GRAPH: patient.clients.graph.scope, Asks.AZURE: patient.clients.sentinel.scope}
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


async def _tokens(patient: Patient, name: str, scopes: dict[Asks, str], *, writes: bool) -> Sequence[Result]:
    lost: dict[Asks, RespondError] = {}
    answers = await asyncio.gather(*(_refusal(patient, scope, writes=writes) for scope in scopes.values()))
    for service, refused in zip(scopes, answers, strict=True):
        patient.tokens[service, writes] = refused
        if refused:
            lost[service] = refused
    if lost:
        first = next(iter(lost.values()))
        found = f"{', '.join(lost)}: {first.message.removesuffix(ADVICE)}"
        return [error(name, found, _remedy(patient, first, writes=writes))]
    claims = await claims_of(patient, writes=writes)
    _, identity = identity_of(patient.settings, writes=writes)
    kind = "lab" if patient.settings.is_lab else _KINDS.get(identity.kind, identity.kind.value)
    who = f"{kind}, client {claims.get('appid') or claims.get('azp') or '?'}, object {claims.get('oid') or '?'}"
    if claims.get("idtyp") == "user" or "scp" in claims:
        todo = "for developers only: a service needs a managed identity or a certificate"
        return [warning(name, f"{who}: a person's token", todo)]
    return [ok(name, who)]


async def _refusal(patient: Patient, scope: str, *, writes: bool) -> RespondError | None:
    """Why there is no token; None where there is one."""
    try:
        await patient.clients.token(scope, writes=writes)
    except RespondError as refused:
        return refused
    return None


def _remedy(patient: Patient, refused: RespondError, *, writes: bool) -> str:
    """What to do about a token that cannot be had, by the kind of the identity."""
    if isinstance(refused, UsageError):
        return "correct it in respond.toml"
    key, identity = identity_of(patient.settings, writes=writes)
    if isinstance(refused, Transient):
        return _NETWORK
    key = "tenant" if key == "tenant.client_secret" else key
    return _TODO.get(identity.kind, _SET_UP).format(key=key, tenant=patient.settings.tenant.tenant_id)
