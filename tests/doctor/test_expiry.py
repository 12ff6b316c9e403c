"""When credentials expire: as the file here says, and as Entra ID does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp.connector
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from respond.lab.constants import TENANT_ID, WORKSPACE_ID
from respond.lab.scenario import find
from tests.helpers.doctor_checks import hurried, told
from tests.helpers.tls import tls_before
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
Variant = Callable[..., Path]
READER, WRITER = "4ead0000-0000-4000-8000-000000000001", "34170000-0000-4000-8000-000000000001"
NOBODY = "https://127.0.0.1:1"
PASSWORD = "hunter2-of-the-test"


def azure(authority: str = NOBODY, **tenant: Any) -> dict[str, Any]:
    named = {"mode": "azure", "tenant_id": TENANT_ID, "workspace_id": WORKSPACE_ID, "authority": authority}
    return hurried(tenant=named | {"graph_endpoint": authority} | tenant)


def certificate(file: Path, left: timedelta) -> Path:
    """A PEM file, or a PFX one by its name, whose certificate is good for so long."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "respond")])
    ends = datetime.now(UTC) + left
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - timedelta(days=365), ends)
    signed = made.sign(key, hashes.SHA256())
    if file.suffix == ".pfx":
        secret = BestAvailableEncryption(PASSWORD.encode())
        file.write_bytes(pkcs12.serialize_key_and_certificates(b"x", key, signed, None, secret))
    else:
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return file


@pytest.mark.parametrize("name", ["a.pem", "a.pfx"])
@pytest.mark.parametrize(
    ("days", "status", "words"),
    [(-1, "error", "expired on"), (29, "warning", "expires in 28 d"), (31, "ok", "is valid until")],
)
def test_a_certificate_is_judged_by_its_end(days: int, status: str, words: str, name: str, tmp_path: Path) -> None:
    file = certificate(tmp_path / name, timedelta(days=days))
    read = {"kind": "certificate", "client_id": READER, "certificate": str(file), "certificate_password": ""}
    if file.suffix == ".pfx":
        read["certificate_password"] = PASSWORD
    found = told("credentials", url=None, settings=azure(read=read))[0]
    assert found[:2] == ("tenant.read.certificate", status)
    assert words in found[2]
    assert ("respond init --renew" in found[2]) == (status != "ok")


@pytest.mark.parametrize(
    ("text", "words"), [(None, "No such file"), ("none", "not a certificate with its private key")]
)
def test_a_certificate_that_is_none_is_named(text: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    if text:
        file.write_text(text)
    read = {"kind": "certificate", "client_id": READER, "certificate": str(file)}
    ((name, status, said), *_) = told("credentials", url=None, settings=azure(read=read))
    assert (name, status, words in said) == ("tenant.read.certificate", "error", True)


@pytest.mark.parametrize("kind", ["managed-identity", "workload-identity", "cli"])
def test_what_has_no_credential_of_its_own_does_not_expire(kind: str) -> None:
    read = {"kind": kind, "client_id": READER}
    assert told("credentials", url=None, settings=azure(read=read))[0][1:] == ("ok", "none that expires -> ")


def test_what_entra_id_has_is_judged_too(
    ill: Start, seed_variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.fromisoformat(json.loads((find("seed-true-positive") / "scenario.json").read_text())["now"])

    def ends(days: int, name: str) -> dict[str, str]:
        end = now + timedelta(days=days)
        return {"keyId": name, "displayName": name, "endDateTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def register(directory: dict[str, Any]) -> None:
        reader = {"id": "a1", "appId": READER, "passwordCredentials": [ends(-5, "first"), ends(10, "second")]}
        writer = {"id": "a2", "appId": WRITER, "passwordCredentials": [], "keyCredentials": []}
        directory["applications"] = [reader, writer]

    lab = ill(seed_variant(directory=register))
    with tls_before(lab.url, tmp_path) as (url, trust):
        aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(trust)
        monkeypatch.setenv("SSL_CERT_FILE", str(trust))
        who: dict[str, Any] = {"read": {"kind": "secret", "client_id": READER, "secret": PASSWORD}}
        who["write"] = {"kind": "secret", "client_id": WRITER, "secret": PASSWORD}
        found = told("credentials", url=None, settings=azure(url, graph_endpoint=lab.url, **who))
    assert [line[:2] for line in found] == [
        ("tenant.read in Entra ID", "warning"),
        ("tenant.read in Entra ID", "ok"),
        ("tenant.write in Entra ID", "error"),
    ]
    assert 'secret "second" expires in 9 d' in found[0][2]
    assert 'expired, beside the one above: secret "first" -> remove it' in found[1][2]
    assert "has no secret" in found[2][2]
