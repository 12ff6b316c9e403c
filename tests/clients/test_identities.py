"""Who asks and who writes: each kind of identity, with azure-identity itself, against the lab's token endpoint.

Only managed identity and the Azure CLI get their tokens elsewhere: from a service on the machine, and from `az`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp.connector
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from respond.clients.connect import Clients
from respond.clients.credentials import identity_of, weak_identities
from respond.errors import Transient, Unauthenticated, UsageError
from respond.lab.constants import TENANT_ID, WORKSPACE_ID
from respond.settings import LabFault, Settings, load_settings
from tests.helpers.canned_service import Canned, canned
from tests.helpers.command import VICTIM, respond
from tests.helpers.serving import serving
from tests.helpers.tls import certificate, tls_before
from tests.lab.running_lab import HTTP, RunningLab

READER, WRITER = "4ead0000-0000-4000-8000-000000000001", "34170000-0000-4000-8000-000000000001"
READS = [
    "Data.Read", "Microsoft Sentinel Responder", "User.Read.All", "ThreatHunting.Read.All",
    "IdentityRiskyUser.Read.All", "Directory.Read.All", "MailboxSettings.Read", "UserAuthenticationMethod.Read.All",
]  # fmt: skip
WRITES = ["User.RevokeSessions.All", "Device.ReadWrite.All"]
GRAPH = "https://graph.microsoft.com/.default"
PASSWORD = "hunter2-of-the-test"

Start = Callable[..., RunningLab]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Certificates: one to be registered, one in a PFX file, one that nobody knows."""
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "known": certificate(folder, "known"),
        "pfx": certificate(folder, "pfx", password=PASSWORD),
        "stranger": certificate(folder, "stranger"),
    }


@pytest.fixture
def authority(
    lab: Start, files: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The lab as an authority that azure-identity takes: behind TLS."""
    known = [str(files[name][1]) for name in ("known", "pfx")]
    held = {READER: READS, WRITER: WRITES}
    tenant = lab(client_certificates=known, client_permissions=held)
    with tls_before(tenant.url, tmp_path) as (url, trust):
        aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(trust)
        monkeypatch.setenv("SSL_CERT_FILE", str(trust))  # httpx, and processes of their own
        yield url


@pytest.fixture(autouse=True)
def _nobody_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity of the machine that the tests run on."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)


def azure(authority: str, **tenant: Any) -> Settings:
    named = {"mode": "azure", "tenant_id": TENANT_ID, "workspace_id": WORKSPACE_ID, "authority": authority}
    return Settings.model_validate({"tenant": named | tenant})


def claims(settings: Settings, *, writes: bool = False) -> dict[str, Any]:
    """Of the token that a request would carry."""

    async def get() -> str:
        clients = Clients(settings, read_only=True, lab_url=None, frozen=lambda: None)
        try:
            return await clients.token(GRAPH, writes=writes)
        finally:
            await clients.close()

    return dict(jwt.decode(asyncio.run(get()), options={"verify_signature": False}))


def test_a_client_secret_still_does_for_both(authority: str) -> None:
    settings = azure(authority, client_id=READER, client_secret=PASSWORD)
    assert claims(settings)["appid"] == claims(settings, writes=True)["appid"] == READER
    assert weak_identities(settings) == ("tenant.client_secret",)


def test_an_authority_that_cannot_be_reached_is_one_line_that_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    nobody = "https://127.0.0.1:1"
    line = rf"^no token for https://graph\.microsoft\.com: the authority at {nobody} does not answer [^\n]*$"
    with pytest.raises(Transient, match=line) as error:
        claims(azure(nobody, client_id=READER, client_secret=PASSWORD))
    assert "tenant.authority" in error.value.message
    assert capfd.readouterr().err == "", "the SDK's own log came first"


def test_an_identity_that_is_renewed_gets_another_token(authority: str) -> None:
    async def get() -> list[str]:
        clients = Clients(
            azure(authority, client_id=READER, client_secret=PASSWORD),
            read_only=True,
            lab_url=None,
            frozen=lambda: None,
        )
        identity: Any = clients._credential
        try:
            found = [await clients.token(GRAPH), await clients.token(GRAPH)]
            await identity.renew()
            await asyncio.sleep(1)  # tokens of one second are the same
            return [*found, await clients.token(GRAPH)]
        finally:
            await clients.close()

    first, kept, renewed = asyncio.run(get())
    assert first == kept
    assert renewed != first


@pytest.mark.parametrize("request_of", ["GET /v1.0/users/*", "POST */query", "POST */revokeSignInSessions"])
def test_a_token_that_is_refused_is_asked_for_again_once(request_of: str, lab: Start) -> None:
    tenant = lab(faults=(LabFault(match=request_of, status=401),))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified"), answer.err
    assert tenant.get("/_lab/faults") == [1]


@pytest.mark.parametrize(("request_of", "who"), [("GET /v1.0/users/*", "Graph"), ("POST */query", "Log Analytics")])
def test_a_fresh_token_that_is_refused_too_is_final(request_of: str, who: str, lab: Start) -> None:
    tenant = lab(faults=(LabFault(match=request_of, status=401, times=0),))
    answer = respond("--user", VICTIM)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert f"{who} answered 401" in answer.err
    asked = Counter(one["path"] for one in tenant.get("/_lab/requests") if one["status"] == 401)
    # Twice each; questions of the same moment share the fresh token, and those that come after it have it already.
    assert min(asked.values()) >= 2


@pytest.mark.parametrize(("name", "password"), [("known", ""), ("pfx", PASSWORD)])
def test_a_certificate_signs_in(name: str, password: str, authority: str, files: dict[str, tuple[Path, Path]]) -> None:
    identity = {"kind": "certificate", "client_id": READER, "certificate": str(files[name][0])}
    settings = azure(authority, read=identity | {"certificate_password": password})
    assert claims(settings)["appid"] == READER
    assert weak_identities(settings) == ()


def test_a_certificate_that_is_not_registered_is_refused_in_one_line(
    authority: str, files: dict[str, tuple[Path, Path]]
) -> None:
    identity = {"kind": "certificate", "client_id": READER, "certificate": str(files["stranger"][0])}
    with pytest.raises(Unauthenticated, match=r"(?s)^no token for https://graph\.microsoft\.com.*AADSTS700027[^\n]*$"):
        claims(azure(authority, read=identity))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iss": "somebody"}, 700021),
        ({"aud": "https://login.microsoftonline.com/other/oauth2/v2.0/token"}, 700023),
        ({"exp": 1}, 700027),
    ],
)
@pytest.mark.usefixtures("authority")
def test_the_lab_checks_what_a_certificate_has_signed(
    change: dict[str, Any], says: int, files: dict[str, tuple[Path, Path]]
) -> None:
    private, public = (file.read_bytes() for file in files["known"])
    digest = x509.load_pem_x509_certificate(public).fingerprint(hashes.SHA256())
    header = {"x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("=")}
    good = {"iss": READER, "sub": READER, "aud": f"x:/{TENANT_ID}/oauth2/v2.0/token", "exp": int(time.time()) + 60}
    form = {
        "grant_type": "client_credentials",
        "client_id": READER,
        "scope": GRAPH,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(good | change, private, "PS256", headers=header),
    }
    answer = HTTP.post(f"{plain_url()}/{TENANT_ID}/oauth2/v2.0/token", data=form)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [says])
    form["client_assertion"] = jwt.encode(good, private, "PS256", headers=header)
    assert HTTP.post(f"{plain_url()}/{TENANT_ID}/oauth2/v2.0/token", data=form).status_code == 200


def real_tenant(authority: str) -> dict[str, str]:
    """Settings of a tenant that is not the lab, although the lab answers for it."""
    url = plain_url()
    return {
        "MODE": "azure",
        "TENANT_ID": TENANT_ID,
        "WORKSPACE_ID": WORKSPACE_ID,
        "AUTHORITY": authority,
        "GRAPH_ENDPOINT": url,
        "LOGS_ENDPOINT": url,
        "ARM_ENDPOINT": url,
    }


def plain_url() -> str:
    """Where the lab answers without TLS."""
    return os.environ["RESPOND_LAB__URL"]


@pytest.mark.parametrize(("audience", "taken"), [("api://AzureADTokenExchange", True), ("somewhere-else", False)])
def test_a_workload_identity_signs_in_with_its_token_file(
    audience: str, taken: bool, authority: str, tmp_path: Path
) -> None:
    projected = {"iss": "https://oidc.example.com", "sub": "system:serviceaccount:respond:respond", "aud": audience}
    file = tmp_path / "token"
    file.write_text(jwt.encode(projected, "a key of the cluster that Entra knows and the lab does not", "HS256"))
    settings = azure(authority, read={"kind": "workload-identity", "client_id": READER, "token_file": str(file)})
    if taken:
        assert claims(settings)["appid"] == READER
        return
    with pytest.raises(Unauthenticated, match="AADSTS700027"):
        claims(settings)


def test_a_managed_identity_asks_the_service_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = jwt.encode({"appid": READER}, "a key that is long enough for the algorithm", "HS256")
    answer = {"access_token": issued, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    answer["resource"] = "https://graph.microsoft.com"
    with canned(Canned(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})) as service:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{service.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "of-the-machine")
        settings = azure("", read={"kind": "managed-identity", "client_id": READER})
        assert claims(settings)["appid"] == READER
        (asked,) = service.seen
    assert asked[0] == "GET"
    assert f"client_id={READER}" in asked[1]
    assert "resource=https" in asked[1]


@pytest.mark.usefixtures("starts_processes")
def test_a_developer_signs_in_through_the_azure_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = jwt.encode({"oid": READER, "scp": "User.Read.All"}, "a key that is long enough for the algorithm", "HS256")
    answer = {"accessToken": issued, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    az.chmod(az.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{az.parent}:/usr/bin:/bin")
    assert claims(azure("", read={"kind": "cli"}))["oid"] == READER
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("account get-access-token")
    assert TENANT_ID in asked


def test_the_default_tries_four_ways_and_none_that_asks_a_person() -> None:
    from respond.clients.credentials import credential

    made: Any = credential(azure(""), None)
    asyncio.run(made.close())
    tried = [type(one).__name__.removeprefix("AsyncFailedDAC") for one in made.identity.credentials]
    assert tried == ["EnvironmentCredential", "Credential", "ManagedIdentityCredential", "AzureCliCredential"]


@pytest.mark.usefixtures("starts_processes")
def test_the_default_takes_the_first_way_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")  # no machine that has an identity
    issued = jwt.encode({"oid": READER}, "a key that is long enough for the algorithm", "HS256")
    answer = {"accessToken": issued, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert claims(azure(""))["oid"] == READER


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[tenant.read]\nkind = "device-code"', "tenant.read.kind: "),
        ('[tenant.read]\nkind = "interactive"', "tenant.read.kind: "),
        ('[tenant.read]\nkind = "certificate"', 'tenant.read.certificate: kind "certificate" needs the'),
        ('[tenant.write]\nkind = "secret"\nclient_id = "x"', 'tenant.write.secret: kind "secret" needs the'),
        ('[tenant.read]\npassword = "x"', "tenant.read.password: is not a known key"),
        ('[tenant]\ncloud = "germany"', "tenant.cloud: "),
        ('[tenant]\nworkspace_resource_id = "x"', "tenant.workspace_resource_id: "),
    ],
)
def test_a_mistake_in_an_identity_is_named_with_its_key(toml: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "respond.toml").write_text(toml)
    with pytest.raises(UsageError) as refused:
        load_settings(tmp_path)
    assert says in refused.value.message


def test_a_certificate_that_cannot_be_read_is_named_with_its_key(tmp_path: Path) -> None:
    missing = azure("", read={"kind": "certificate", "client_id": READER, "certificate": str(tmp_path / "none.pem")})
    with pytest.raises(UsageError, match=r"^tenant\.read\.certificate: .*none\.pem cannot be read"):
        claims(missing)
    (tmp_path / "none.pem").write_text("not a certificate")
    with pytest.raises(UsageError, match=r"^tenant\.read: "):
        claims(missing)


@pytest.mark.parametrize(
    ("tenant", "key"),
    [
        ({"read": {"kind": "certificate", "certificate": "x.pem"}}, r"tenant\.read\.client_id"),
        ({"write": {"kind": "secret", "secret": PASSWORD}}, r"tenant\.write\.client_id"),
        ({"client_secret": PASSWORD}, r"tenant\.client_id"),
    ],
)
def test_an_application_without_an_id_is_named_with_its_key(tenant: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=rf"^{key} is empty: name the application; respond init prints"):
        claims(azure("", **tenant), writes="write" in tenant)


def test_who_writes_is_who_reads_unless_another_is_named() -> None:
    read = {"kind": "managed-identity", "client_id": READER}
    alone = azure("", read=read)
    assert identity_of(alone, writes=True) == identity_of(alone)
    two = azure("", read=read, write={"kind": "secret", "client_id": WRITER, "secret": PASSWORD})
    assert [identity_of(two, writes=writes)[0] for writes in (False, True)] == ["tenant.read", "tenant.write"]
    assert weak_identities(two) == ("tenant.write",)
    assert PASSWORD not in repr(two) + two.model_dump_json()


def test_a_real_run_reads_with_one_identity_and_writes_with_the_other(
    authority: str, files: dict[str, tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither holds what the other does, so a request that carried the wrong token would be refused."""
    for key, value in {
        **real_tenant(authority),
        "READ__KIND": "certificate",
        "READ__CLIENT_ID": READER,
        "READ__CERTIFICATE": str(files["known"][0]),
        "WRITE__KIND": "secret",
        "WRITE__CLIENT_ID": WRITER,
        "WRITE__SECRET": PASSWORD,
    }.items():
        monkeypatch.setenv(f"RESPOND_TENANT__{key}", value)
    monkeypatch.setenv("RESPOND_RESPONSE__MODE", "auto")
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified"), answer
    assert answer.json["gaps"] == []


SECRET_HOLDER = {"CLIENT_ID": "5ec20000-0000-4000-8000-000000000001", "CLIENT_SECRET": PASSWORD}


def test_a_real_tenant_is_examined_with_its_own_identity(authority: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in (real_tenant(authority) | SECRET_HOLDER).items():
        monkeypatch.setenv(f"RESPOND_TENANT__{key}", value)
    monkeypatch.setenv("RESPOND_WEBHOOK__AUDIENCE", "api://respond.example.com")
    answer = respond("doctor", "--json")
    found = {line["name"]: line for line in answer.json["results"]}
    assert (answer.code, answer.json["mode"]) == (0, "azure"), answer.out
    assert found["secret"]["status"] == "warning"
    assert "secret, client 5ec20000" in found["reads as"]["found"]
    assert {found[name]["status"] for name in ("clock", "signing keys", "workspace", "permissions")} == {"ok"}
    assert PASSWORD not in answer.out


def test_a_service_says_at_its_start_that_a_secret_is_weak(authority: str) -> None:
    env = {f"RESPOND_TENANT__{key}": value for key, value in (real_tenant(authority) | SECRET_HOLDER).items()}
    env |= {"RESPOND_WEBHOOK__AUDIENCE": "api://respond.example.com", "RESPOND_SCHEDULE__EVERY": "0s"}
    with serving(**env) as service:
        said = [line for line in service.lines if line["event"] == "weak-identity"]
    (line,) = said
    assert line["reason"] == "tenant.client_secret signs in with a password, which leaks and expires"
    assert PASSWORD not in json.dumps(service.lines)
