"""When do the credentials of respond's applications expire? From the file here, and as Entra ID has them.

    https://learn.microsoft.com/graph/api/resources/keycredential
    https://learn.microsoft.com/graph/api/resources/passwordcredential

A managed identity and a workload identity have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from respond.clients.credentials import identity_of
from respond.doctor.credential import has_two
from respond.doctor.patient import Asks, Patient
from respond.errors import Forbidden, RespondError
from respond.models.checkup import Result, error, ok, skipped, warning
from respond.models.tenant_facts import Credential
from respond.settings import Identity, IdentityKind

_SOON = timedelta(days=30)
_EXPIRING = (IdentityKind.CERTIFICATE, IdentityKind.SECRET)
_RENEW = {
    IdentityKind.CERTIFICATE: "renew it: respond init --renew, then run the script",
    IdentityKind.SECRET: "make a new secret in Entra ID, App registrations; a certificate is better",
}


async def credentials(patient: Patient) -> Sequence[Result]:
    """Each identity that has a certificate or a secret."""
    if patient.settings.is_lab:
        return [skipped("credentials", "the lab's do not expire")]
    found: dict[str, Identity] = {}
    for writes in (False, True) if has_two(patient) else (False,):
        key, identity = identity_of(patient.settings, writes=writes)
        if identity.kind in _EXPIRING:
            found[key] = identity
    if not found:
        return [ok("credentials", "none that expires")]
    results = [result for key, identity in found.items() for result in await _local(key, identity)]
    for key, identity in found.items():
        results += await _registered(patient, key, identity)
    return results


async def _local(key: str, identity: Identity) -> Sequence[Result]:
    """The certificate that signs in from here."""
    if identity.kind is not IdentityKind.CERTIFICATE:
        return []
    name = f"{key}.certificate"
    try:
        ends = await asyncio.to_thread(_end_of, identity)
    except (OSError, ValueError) as broken:
        reason = getattr(broken, "strerror", None) or "not a certificate with its private key"
        return [error(name, f"{identity.certificate}: {reason}", f"correct {name}")]
    return [_judged(name, identity.certificate, ends, _RENEW[identity.kind])]


def _end_of(identity: Identity) -> datetime:
    """When the certificate of a PEM or PFX file expires.

    Raises:
        OSError: it cannot be read.
        ValueError: it is neither.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import pkcs12

    content = Path(identity.certificate).read_bytes()
    if b"-----BEGIN CERTIFICATE" in content:
        return x509.load_pem_x509_certificate(content[content.index(b"-----BEGIN CERTIFICATE") :]).not_valid_after_utc
    password = identity.certificate_password.get_secret_value().encode() or None
    _, certificate, _ = pkcs12.load_key_and_certificates(content, password)
    if certificate is None:
        raise ValueError("no certificate in it")
    return certificate.not_valid_after_utc


async def _registered(patient: Patient, key: str, identity: Identity) -> Sequence[Result]:
    """What the application has in Entra ID: the newest one is taken to be in use."""
    name = f"{key} in Entra ID"
    if patient.tokens.get((Asks.GRAPH, False)):
        return [skipped(name, "no token")]
    try:
        held = await patient.clients.graph.tenant.credentials(identity.client_id)
    except Forbidden:
        return [skipped(name, "cannot be read", "grant Directory.Read.All to see it here")]
    except RespondError as refused:
        return [skipped(name, refused.message)]
    kind = "certificate" if identity.kind is IdentityKind.CERTIFICATE else "secret"
    ours = sorted((one for one in held if one.kind == kind), key=lambda one: one.ends)
    if not ours:
        return [
            error(name, f"application {identity.client_id} has no {kind}", f"register one: {_RENEW[identity.kind]}")
        ]
    newest = ours[-1]
    results = [_judged(name, _named(newest), newest.ends, _RENEW[identity.kind])]
    if over := [one for one in ours[:-1] if one.ends <= datetime.now(UTC)]:
        told = ", ".join(map(_named, over))
        results.append(ok(name, f"expired, beside the one above: {told}", "remove it from the application"))
    return results


def _named(one: Credential) -> str:
    return f'{one.kind} "{one.name}"' if one.name else one.kind


def _judged(name: str, what: str, ends: datetime, todo: str) -> Result:
    left = ends - datetime.now(UTC)
    if left <= timedelta(0):
        return error(name, f"{what} expired on {ends:%Y-%m-%d}", todo)
    if left < _SOON:
        return warning(name, f"{what} expires in {left.days} d, on {ends:%Y-%m-%d}", todo)
    return ok(name, f"{what} is valid until {ends:%Y-%m-%d}")
