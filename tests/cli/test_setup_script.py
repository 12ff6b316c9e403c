"""The script of `respond init`, run as a whole: `az` is a stand-in that answers as Microsoft Graph and Azure do."""

from __future__ import annotations

import base64
import json
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from respond.clients.clouds import CLOUDS
from respond.doctor.declared import needs
from respond.doctor.needs import enabled, is_graph, is_read, is_write, optional
from respond.policies import load_policy
from respond.settings import load_settings, load_tenants
from tests.fakes import az as stand_in
from tests.helpers.command import ROOT, Answer, respond
from tests.helpers.tls import certificate

TENANT, WORKSPACE = "f0a1c2d3-1111-4222-8333-944445555666", "1ab00000-0000-4000-8000-000000000001"
ISSUER, SUBJECT = "https://oidc.example.com/1/", "system:serviceaccount:soc:respond"
SOMEBODY = "bbbb0000-0000-4000-8000-000000000002"
PERMISSIONS = sorted({need.permission for need in needs() if is_graph(need.permission)})
KINDS = ["managed", "workload-identity", "certificate"]
CLOUDS_OF_AZ = {
    "public": ("AzureCloud", "api://AzureADTokenExchange"),
    "usgov": ("AzureUSGovernment", "api://AzureADTokenExchangeUSGov"),
    "usgov-dod": ("AzureUSGovernment", "api://AzureADTokenExchangeUSGov"),
    "china": ("AzureChinaCloud", "api://AzureADTokenExchangeChina"),
}


@dataclass
class Setup:
    """One configuration, and the tenant that it is for."""

    folder: Path
    identity: str
    cloud: str = "public"
    name: str = ""
    more: tuple[str, ...] = ()

    @property
    def config(self) -> Path:
        return self.folder / "it's here"

    @property
    def state(self) -> Any:
        return json.loads((self.folder / "state.json").read_text())

    def become(self, **changes: Any) -> None:
        """Change the tenant."""
        file = self.folder / "state.json"
        begun = stand_in.sound(TENANT, WORKSPACE, PERMISSIONS)
        file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else begun) | changes))

    def init(self, *options: str) -> Answer:
        """Write the script."""
        given = ["--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--identity", self.identity, "--cloud", self.cloud]
        given += ["--tenant", self.name] if self.name else []
        given += ["--issuer", ISSUER, "--subject", SUBJECT] if self.identity == "workload-identity" else []
        script = ("--script", str(self.folder / "setup.sh"))
        return respond("init", *given, "--dir", str(self.config), *script, *self.more, *options)

    def run(self, *, shell: str = "sh", cut: int = 0, cut_after: bool = False, **more: str) -> Answer:
        """Run it, to its end or to the call of az at which it is killed."""
        if not (self.folder / "state.json").exists():
            self.become()
        env = dict(os.environ, PATH=f"{self._tools()}:{os.environ['PATH']}", AZ_STATE=str(self.folder / "state.json"))
        self.become(calls=0, asked=[])
        if cut:
            env |= {"AZ_CUT": str(cut)} | ({"AZ_CUT_AFTER": "1"} if cut_after else {})
        done = subprocess.run(
            [shell, str(self.folder / "setup.sh")],
            env=env | more, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def _tools(self) -> Path:
        tools = self.folder / "tools"
        if not tools.exists():
            tools.mkdir()
            compiled = str(tools / "stand_in.pyc")  # each run of the script starts it some fifty times
            py_compile.compile(str(stand_in.__file__), compiled, doraise=True)
            start = f"import sys\nsys.path.insert(0, {str(tools)!r})\nimport stand_in\nsys.exit(stand_in.main())\n"
            for name, text in (("az", f"#!{sys.executable} -SE\n{start}"), ("sleep", "#!/bin/sh\n")):
                (tools / name).write_text(text)
                (tools / name).chmod(0o755)
        return tools

    def outcome(self) -> Any:
        """What remains in the tenant, and what the settings then say."""
        lasting = json.loads(json.dumps(stand_in.lasting(self.state)))
        for application in lasting["applications"]:  # a certificate is another one each time, when it is made
            application["keyCredentials"] = len(application["keyCredentials"])
        return {name: sorted(map(str, held)) for name, held in lasting.items() if isinstance(held, list)}

    def granted(self, role: str) -> set[str]:
        """Permissions that an identity holds, by name."""
        names = {one["id"]: one["value"] for one in self.state["principals"][0]["appRoles"]}
        return {names[one["appRoleId"]] for one in self.state["grants"] if one["principalId"] == self.principal(role)}

    def roles(self, role: str) -> set[str]:
        held = self.state["assignments"]
        return {one["roleDefinitionName"] for one in held if one["principalId"] == self.principal(role)}

    def principal(self, role: str) -> str:
        everybody = [*self.state["applications"], *self.state["identities"]]
        one = next(one for one in everybody if f"respond-{role}-" in (one.get("name") or one["displayName"]))
        client = one.get("clientId") or one["appId"]
        return str(next(other["id"] for other in self.state["principals"] if other["appId"] == client))

    def client(self, role: str) -> str:
        return str(next(one["appId"] for one in self.state["principals"] if one["id"] == self.principal(role)))


Make = Callable[..., Setup]


@pytest.fixture
def setup(tmp_path: Path) -> Make:
    def make(identity: str = "managed", **how: Any) -> Setup:
        return Setup(tmp_path, identity, **how)

    return make


def wanted(setup: Setup, wants: Any) -> tuple[set[str], set[str]]:
    """Permissions and roles that the configuration calls for."""
    settings, policy = load_settings(setup.config), load_policy(setup.config)
    needed = enabled(settings, policy)
    apart = optional(policy, needed)
    names = {name for name, why in needed.items() if name not in apart and wants(name, why)}
    graph = {name for name in names if is_graph(name)}
    return graph, names - graph


@pytest.mark.parametrize(
    ("identity", "shell"), [("managed", "bash"), *(pytest.param(kind, "sh", marks=pytest.mark.soak) for kind in KINDS)]
)
def test_reading_first_and_writing_later_gives_each_identity_what_it_needs(
    identity: str, shell: str, setup: Make
) -> None:
    made = setup(identity)
    assert made.init("--read-only").code == 0
    first = made.run(shell=shell)
    assert first.code == 0, first.err
    assert (made.granted("read"), made.roles("read")) == wanted(made, is_read)
    assert "this creates, where it is missing" in first.err
    assert load_settings(made.config).tenant.read.client_id == made.client("read")
    kept = {file: file.read_bytes() for file in made.config.glob("*.pem")}
    assert made.init("--write").code == 0
    second = made.run(shell=shell)
    assert second.code == 0, second.err
    assert (made.granted("write"), made.roles("write")) == wanted(made, is_write)
    tenant = load_settings(made.config).tenant
    assert (tenant.read.client_id, tenant.write.client_id) == (made.client("read"), made.client("write"))
    assert tenant.workspace_resource_id == made.state["workspaces"][0]["id"]
    assert all(file.read_bytes() == before for file, before in kept.items())
    done = made.outcome()
    assert made.run(shell=shell).code == 0
    assert made.outcome() == done
    assert not [words for words in made.state["asked"] if is_change(words)], "a third run has nothing left to do"


def is_change(words: list[str]) -> bool:
    return "create" in words or (words[0] == "rest" and words[words.index("--method") + 1] != "GET")


def cut_and_repeat(made: Setup, at: int, *, after: bool) -> Any:
    """What remains after a run that was cut, and one that was not."""
    (made.folder / "state.json").unlink(missing_ok=True)
    made.become(delay=1)
    for file in (*made.config.glob("*.pem"), made.config / "respond.toml"):
        file.unlink(missing_ok=True)
    assert made.init("--read-only" if made.identity == "certificate" else "--write").code == 0
    if at:
        assert made.run(cut=at, cut_after=after).code < 0
    done = made.run()
    assert done.code == 0, done.err
    return made.outcome()


@pytest.mark.parametrize(
    "identity",
    ["certificate", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("managed", "workload-identity"))],
)
def test_a_script_that_was_cut_is_run_again_and_ends_as_if_it_had_not_been(identity: str, setup: Make) -> None:
    made = setup(identity)
    whole = cut_and_repeat(made, 0, after=False)
    creation = next(at for at, words in enumerate(made.state["asked"], 1) if is_change(words))
    assert cut_and_repeat(made, creation, after=True) == whole


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("identity", KINDS)
def test_a_script_may_be_cut_at_any_call(identity: str, after: bool, setup: Make) -> None:
    made = setup(identity)
    whole = cut_and_repeat(made, 0, after=after)
    calls = made.state["calls"]
    assert calls > 30
    for at in range(1, calls + 1):
        assert cut_and_repeat(made, at, after=after) == whole, f"cut at call {at}"


@pytest.mark.parametrize(
    ("identity", "cloud"),
    [
        ("workload-identity", "usgov-dod"),
        *(
            pytest.param(kind, cloud, marks=pytest.mark.soak)
            for kind in KINDS
            for cloud in CLOUDS_OF_AZ
            if (kind, cloud) != ("workload-identity", "usgov-dod")
        ),
    ],
)
def test_every_request_goes_to_the_cloud_of_the_settings(identity: str, cloud: str, setup: Make) -> None:
    made = setup(identity, cloud=cloud)
    assert made.init("--read-only").code == 0
    done = made.run()
    assert done.code == 0, done.err
    graph = CLOUDS[load_settings(made.config).tenant.cloud].graph
    asked = [words for words in made.state["asked"] if words[0] == "rest"]
    assert {words[words.index("--resource") + 1] for words in asked} == {graph}
    assert all(words[words.index("--url") + 1].startswith(f"{graph}/v1.0/") for words in asked)
    az_cloud, audience = CLOUDS_OF_AZ[cloud]
    assert made.state["cloud"] == az_cloud
    assert (made.granted("read"), made.roles("read")) == wanted(made, is_read)
    if identity == "workload-identity":
        (held,) = made.state["applications"][0]["federated"]
        assert (held["issuer"], held["subject"], held["audiences"]) == (ISSUER, SUBJECT, [audience])


def test_what_a_cloud_does_not_have_is_named_and_the_rest_is_done(setup: Make) -> None:
    made = setup()
    assert made.init("--read-only").code == 0
    graph = {"id": stand_in.made_id("graph"), "appId": stand_in.GRAPH_APP}
    roles = [
        {"value": name, "id": stand_in.made_id("role", name)} for name in PERMISSIONS if "ThreatHunting" not in name
    ]
    made.become(principals=[graph | {"appRoles": roles}], roles=["Log Analytics Reader"])
    done = made.run()
    assert done.code == 1
    assert "ThreatHunting.Read.All: Microsoft Graph of this cloud has no such permission" in done.err
    last = done.err.splitlines()[-1]
    assert last.endswith("this cloud does not have: ThreatHunting.Read.All 'Microsoft Sentinel Responder'")
    graph_needed, roles_needed = wanted(made, is_read)
    assert made.granted("read") == graph_needed - {"ThreatHunting.Read.All"}
    assert made.roles("read") == roles_needed - {"Microsoft Sentinel Responder"}
    assert load_settings(made.config).tenant.read.client_id


def name_of(made: Setup, role: str = "read") -> str:
    suffix = json.loads((made.config / "init.json").read_text())[made.name]["suffix"]
    return f"respond-{role}-{suffix}"


def strange_application(made: Setup, **more: Any) -> dict[str, Any]:
    return {"id": SOMEBODY, "appId": SOMEBODY, "displayName": name_of(made), "keyCredentials": []} | more


@pytest.mark.parametrize(
    "kind",
    ["namesake", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("owner", "deleted", "identity", "client"))],
)
def test_what_the_script_did_not_create_is_not_used(kind: str, setup: Make) -> None:
    made = setup("managed" if kind == "identity" else "workload-identity")
    assert made.init("--read-only").code == 0
    name = name_of(made)
    words = {
        "namesake": f"{name}: application {SOMEBODY} has that name, and this script did not create it. Not used",
        "owner": f"{name}: {SOMEBODY} owns it and can sign in as it. Remove that owner, or accept",
        "deleted": f"{name}: it was deleted. Restore it",
        "identity": f"{name}: resource group {stand_in.GROUP} has a managed identity of that name",
        "client": f"{SOMEBODY}: respond.toml names this client_id, and the tenant has no such identity",
    }[kind]
    changes: dict[str, dict[str, Any]] = {
        "namesake": {"applications": [strange_application(made)]},
        "owner": {
            "applications": [strange_application(made, uniqueName=name, federated=[])],
            "owners": {SOMEBODY: [stand_in.ME, SOMEBODY]},
        },
        "deleted": {"deleted": [strange_application(made)]},
        "identity": {
            "identities": [
                {"name": name, "group": stand_in.GROUP, "clientId": SOMEBODY, "principalId": SOMEBODY, "tags": None}
            ]
        },
        "client": {},
    }
    made.become(**changes[kind])
    if kind == "client":
        filled = respond("init", "--dir", str(made.config), "--fill", f"tenant.read.client_id={SOMEBODY}")
        assert filled.code == 0
        assert made.init("--read-only").code == 0
    done = made.run()
    assert done.code == 1
    assert words in done.err.splitlines()[-1]
    assert not made.state["grants"]
    assert not [asked for asked in made.state["asked"] if is_change(asked)]


@pytest.mark.soak
def test_an_owner_can_be_accepted(setup: Make) -> None:
    made = setup("workload-identity")
    assert made.init("--read-only").code == 0
    unique = strange_application(made, uniqueName=name_of(made), federated=[])
    made.become(applications=[unique], owners={SOMEBODY: [SOMEBODY]})
    assert made.run(ACCEPTED_OWNERS=f"{stand_in.ME} {SOMEBODY}").code == 0


@pytest.mark.soak
def test_a_grant_that_another_run_was_quicker_with_is_no_failure(setup: Make) -> None:
    made = setup()
    assert made.init("--read-only").code == 0
    made.become(refuses_all_grants=True)
    assert made.run().code == 0


def test_what_is_refused_names_the_roles_that_are_needed_and_does_not_wait(setup: Make) -> None:
    made = setup(more=("--resource-group", "nobody-has-it"))
    assert made.init("--read-only").code == 0
    done = made.run()
    assert done.code == 1
    assert "Resource group 'nobody-has-it' could not be found" in done.err.splitlines()[-1]
    assert "trying again" not in done.err


@pytest.mark.soak
def test_managed_identities_go_to_the_group_that_was_named(setup: Make) -> None:
    made = setup(more=("--resource-group", "identities"))
    assert made.init("--read-only").code == 0
    assert made.run().code == 0
    made.more = ()
    assert made.init("--write").code == 0
    assert made.run().code == 0
    assert [one["group"] for one in made.state["identities"]] == ["identities", "identities"]


@pytest.mark.soak
def test_what_never_becomes_known_ends_with_what_az_said(setup: Make) -> None:
    made = setup("workload-identity")
    assert made.init("--read-only").code == 0
    made.become(delay=1000)
    done = made.run()
    assert done.code == 1
    assert f"{name_of(made)}: ERROR: Not Found(" in done.err.splitlines()[-1]
    assert done.err.count("trying again in 30 s") == 3


@pytest.mark.parametrize(
    "how", ["another key", *(pytest.param(how, marks=pytest.mark.soak) for how in ("text", "old"))]
)
def test_a_certificate_that_does_not_work_is_not_overwritten(how: str, setup: Make) -> None:
    made = setup("certificate")
    assert made.init("--read-only").code == 0
    pem = made.config / "respond-read.pem"
    both, public = certificate(made.folder, "mine")
    key = both.read_bytes().removesuffix(public.read_bytes())
    if how == "old":
        public.write_bytes(expired(key))
    elif how == "another key":
        _, public = certificate(made.folder, "other")
    pem.write_bytes(b"none" if how == "text" else key + public.read_bytes())
    before = pem.read_bytes()
    done = made.run()
    words = {
        "text": "not a certificate with its private key",
        "another key": "the certificate is not that of the private key",
        "old": "the certificate has expired. Make the next one with: respond init --renew",
    }[how]
    assert done.code == 1
    assert words in done.err.splitlines()[-1]
    assert pem.read_bytes() == before
    assert not made.state["grants"]


def expired(key: bytes) -> bytes:
    """A certificate of a private key that was good for a day, long ago."""
    private: Any = load_pem_private_key(key, None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "respond")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, begins, begins + timedelta(days=1))
    signed = made.sign(private, hashes.SHA256())
    return bytes(signed.public_bytes(Encoding.PEM))


def test_a_certificate_is_renewed_beside_the_one_in_use(setup: Make) -> None:
    made = setup("certificate")
    assert made.init("--read-only").code == 0
    assert "client_id is empty; run the script" in made.init("--renew").err
    assert made.run().code == 0
    old = made.config / "respond-read.pem"
    before = old.read_bytes()
    assert made.init("--renew").code == 0
    done = made.run()
    assert done.code == 0, done.err
    new = Path(load_settings(made.config).tenant.read.certificate)
    assert new != old
    assert old.read_bytes() == before
    (application,) = made.state["applications"]
    registered = [x509.load_der_x509_certificate(base64.b64decode(one["key"])) for one in application["keyCredentials"]]
    assert registered == [x509.load_pem_x509_certificate(file.read_bytes()) for file in (old, new)]
    assert new.stat().st_mode & 0o077 == 0
    assert "remove the old certificate" in done.err


def test_the_script_of_one_of_several_tenants_fills_in_its_own_section(
    setup: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
    made = setup("managed", name="contoso")
    assert made.init("--read-only").code == 0
    assert made.run().code == 0
    assert load_tenants(made.config)["contoso"].tenant.read.client_id == made.client("read")


@pytest.mark.soak
def test_where_the_configuration_is_elsewhere_the_ids_are_told(setup: Make) -> None:
    made = setup("managed")
    assert made.init("--read-only").code == 0
    (made.config / "respond.toml").unlink()
    done = made.run()
    assert done.code == 0
    line = next(line for line in done.err.splitlines() if "respond init --dir" in line)
    assert f"--fill tenant.read.client_id={made.client('read')}" in line
