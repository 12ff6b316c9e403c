"""The token, whose it is, the clock, and the permissions: each as it should be, and not."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from respond.doctor.checks import CHECKS
from respond.doctor.needs import enabled, unneeded
from respond.policies import load_policy
from respond.settings import Settings, shipped_config
from tests.helpers.canned_service import Canned, canned
from tests.helpers.doctor_checks import hurried, policy, told
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
READER, WRITER = "4ead0000-0000-4000-8000-000000000001", "34170000-0000-4000-8000-000000000001"
TWO = {"tenant": {"read": {"client_id": READER}, "write": {"client_id": WRITER}}}
TENANT = "f0a1c2d3-1111-4222-8333-944445555666"
READS = [
    "Data.Read", "User.Read.All", "ThreatHunting.Read.All", "IdentityRiskyUser.Read.All", "Directory.Read.All",
    "MailboxSettings.Read", "UserAuthenticationMethod.Read.All",
]  # fmt: skip
WRITES = [
    "User.Read.All", "User.RevokeSessions.All", "User.EnableDisableAccount.All", "Device.ReadWrite.All",
    "MailboxSettings.ReadWrite", "DelegatedPermissionGrant.ReadWrite.All", "UserAuthMethod-Email.ReadWrite.All",
    "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All", "UserAuthMethod-Passkey.ReadWrite.All",
    "UserAuthMethod-Phone.ReadWrite.All", "UserAuthMethod-PlatformCred.ReadWrite.All",
    "UserAuthMethod-SoftwareOATH.ReadWrite.All", "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthMethod-WindowsHello.ReadWrite.All", "UserAuthMethod-External.ReadWrite.All",
]  # fmt: skip


def test_a_token_that_can_be_had_says_whose_it_is(tenant: str) -> None:
    (reads, writes) = told("reads as", "writes as", url=tenant)
    assert reads[:2] == ("reads as", "ok")
    assert "client respond-lab" in reads[2]
    assert writes[:2] == ("writes as", "ok")
    assert "the same identity" in writes[2]


def test_two_identities_are_each_named(tenant: str) -> None:
    found = told("reads as", "writes as", url=tenant, settings=TWO)
    assert [status for _, status, _ in found] == ["ok", "ok"]
    assert READER in found[0][2]
    assert WRITER in found[1][2]


def test_no_token_is_an_error_that_names_the_services_that_go_without(ill: Start) -> None:
    lab = ill(faults=({"match": "POST */token", "contains": WRITER, "status": 401, "times": 0},))
    (reads, writes) = told("reads as", "writes as", url=lab.url, settings=TWO)
    assert reads[:2] == ("reads as", "ok")
    assert writes[:2] == ("writes as", "error")
    assert writes[2].startswith("Graph, Azure: the lab issued no token: 401")
    assert "set tenant.read, and check tenant.tenant_id" in writes[2]
    (reads,) = told("reads as", url=lab.url, settings={"tenant": {"read": {"client_id": WRITER}}})
    assert reads[:2] == ("reads as", "error")


def az(folder: Path, claims: dict[str, Any]) -> Path:
    """A directory with an `az` that hands out a token."""
    issued = jwt.encode(claims, "a key that is long enough for the algorithm", "HS256")
    answer = {"accessToken": issued, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    file = folder / "az"
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    file.chmod(0o755)
    return folder


AZURE = {"mode": "azure", "tenant_id": TENANT, "workspace_id": TENANT, "read": {"kind": "cli"}}


@pytest.mark.usefixtures("starts_processes")
def test_a_persons_token_is_for_developers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = {"appid": READER, "oid": WRITER, "idtyp": "user", "scp": "User.Read.All"}
    monkeypatch.setenv("PATH", f"{az(tmp_path, person)}:/usr/bin:/bin")
    ((name, status, words),) = told("reads as", url=None, settings={"tenant": AZURE})
    assert (name, status) == ("reads as", "warning")
    assert "a person's token -> for developers only" in words


def test_without_a_token_one_line_says_why_and_nothing_else_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    names = [check.name for check in CHECKS if check.asks] + ["reads as", "writes as"]
    found = told(*names, url=None, settings={"tenant": AZURE})
    assert len(found) == len(names)
    (error,) = [line for line in found if line[1] == "error"]
    assert error[0] == "reads as"
    assert error[2].startswith(
        "Graph, Log Analytics, Azure: no token for https://graph.microsoft.com: Azure CLI not found"
    )
    assert error[2].endswith(f"-> sign in: az login --tenant {TENANT}")
    assert {line[2] for line in found if line[1] == "skipped"} == {"no token -> ", "the same identity: no token -> "}
    assert capfd.readouterr().err == "", "the SDK's own log came first"


def test_an_authority_that_does_not_answer_is_one_error() -> None:
    nobody = {"authority": "https://127.0.0.1:1", "read": {"kind": "secret", "client_id": READER, "secret": "s" * 40}}
    found = told("reads as", "clock", "workspace", url=None, settings=hurried(tenant=AZURE | nobody))
    assert [line[:2] for line in found] == [("reads as", "error"), ("clock", "skipped"), ("workspace", "skipped")]
    assert found[0][2].endswith("-> check tenant.authority, tenant.cloud and the way out of this network")


@pytest.mark.usefixtures("starts_processes")
def test_the_default_says_what_it_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")  # no machine that has an identity
    monkeypatch.setenv("PATH", f"{az(tmp_path, {'appid': READER, 'roles': READS})}:/usr/bin:/bin")
    ((_, status, words),) = told("reads as", url=None, settings={"tenant": AZURE | {"read": {"kind": "default"}}})
    assert status == "ok"
    assert f"environment, workload identity, managed identity, Azure CLI, client {READER}" in words


@pytest.mark.usefixtures("starts_processes")
def test_dangerous_permissions_are_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roles = [*READS, *WRITES, "Directory.ReadWrite.All", "Policy.Read.All"]
    monkeypatch.setenv("PATH", f"{az(tmp_path, {'roles': roles})}:/usr/bin:/bin")
    found = told("permissions to read", url=None, settings={"tenant": AZURE})
    assert found[0] == ("permissions", "ok", "all 20 that the enabled actions need -> ")
    assert ("Directory.ReadWrite.All", "warning") in [line[:2] for line in found]
    assert not [line for line in found if "Policy.Read.All" in " ".join(line)]


def test_all_permissions_are_there(tenant: str) -> None:
    found = told("permissions to read", url=tenant)
    assert [line[:2] for line in found] == [("permissions", "ok"), ("superfluous", "ok")]
    assert "IdentityRiskyUser.ReadWrite.All (confirm_user: never)" in found[1][2]


def test_a_missing_permission_is_named_with_the_actions_that_need_it(ill: Start) -> None:
    lab = ill(
        withheld_permissions=("Device.ReadWrite.All", "MailboxSettings.ReadWrite", "IdentityRiskyUser.ReadWrite.All")
    )
    lost = {line[0]: line for line in told("permissions to read", url=lab.url) if line[1] == "error"}
    assert set(lost) == {"Device.ReadWrite.All", "MailboxSettings.ReadWrite"}
    assert "missing; needed by delete_device, disable_device -> grant it" in lost["Device.ReadWrite.All"][2]
    assert "needed by disable_rule" in lost["MailboxSettings.ReadWrite"][2]
    never = {f"ladder__malicious__{rung}": "never" for rung in ("disable_device", "delete_device")}
    rules = policy(ladder__malicious__confirm_user="auto", **never)
    rules = rules.model_copy(update={"ladder": rules.ladder.model_copy(update={"suspicious": rules.ladder.malicious})})
    lost = {line[0]: line for line in told("permissions to read", url=lab.url, rules=rules) if line[1] == "error"}
    assert set(lost) == {"IdentityRiskyUser.ReadWrite.All", "MailboxSettings.ReadWrite"}


def test_each_of_two_identities_needs_its_own_permissions_only(ill: Start) -> None:
    lab = ill(client_permissions={READER: READS, WRITER: WRITES})
    found = told("permissions to read", "permissions to write", url=lab.url, settings=TWO)
    assert [line[:2] for line in found] == [
        ("permissions to read", "ok"),
        ("superfluous", "ok"),
        ("permissions to write", "ok"),
        ("optional permissions", "skipped"),
        ("Azure roles", "skipped"),
    ]
    assert "granted, not needed: Data.Read ->" in found[1][2]


def test_a_token_without_any_permission_is_an_error(ill: Start) -> None:
    lab = ill(client_permissions={READER: READS, WRITER: []})
    found = told("permissions to write", url=lab.url, settings=TWO)
    assert found[0][:2] == ("permissions to write", "error")
    assert "carries no permission" in found[0][2]


def needed(rules: Any = None, **settings: Any) -> set[str]:
    return set(enabled(Settings.model_validate(settings), rules or load_policy(shipped_config())))


def test_what_is_switched_off_needs_nothing() -> None:
    assert needed() - needed(hunt={"defender": False}) == {"ThreatHunting.Read.All"}
    objects = ("method", "grant", "secret", "role")
    rungs = (
        "disable_rule",
        "disable_device",
        "delete_device",
        "disable_application",
        *(f"remove_{one}" for one in objects),
    )
    never = dict.fromkeys(rungs, "never")
    verdicts = ("malicious", "suspicious")
    rules = policy(**{f"ladder__{verdict}__{rung}": may for verdict in verdicts for rung, may in never.items()})
    gone = needed() - needed(rules)
    assert {"MailboxSettings.Read", "MailboxSettings.ReadWrite", "Directory.Read.All", "Device.ReadWrite.All"} <= gone
    assert not [name for name in needed(rules) if name.startswith("UserAuthMethod")]
    assert needed() - needed(policy(ladder__survived__disable_account="never")) == {"User.EnableDisableAccount.All"}
    assert set(unneeded(Settings(), load_policy(shipped_config()))) == {
        "IdentityRiskEvent.ReadWrite.All",
        "IdentityRiskyUser.ReadWrite.All",
    }


def test_a_clock_that_is_right_is_ok(tenant: str) -> None:
    ((name, status, words),) = told("clock", url=tenant)
    assert (name, status) == ("clock", "ok")
    assert "s ahead of" in words or "s behind" in words


@pytest.mark.parametrize(
    ("apart", "status", "words"), [(30, "warning", "s behind the authority"), (-3600, "error", "s ahead of the")]
)
def test_a_clock_that_is_off_has_to_be_synchronized(apart: int, status: str, words: str) -> None:
    then = email.utils.formatdate(time.time() + apart, usegmt=True)
    with dated(then) as service:
        ((_, found, said),) = told("clock", url=service.url)
    assert found == status
    assert words in said
    assert "synchronize this machine's clock" in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Canned(status=400, headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}), "does not know the tenant: 400"),
        (Canned(status=0), "does not answer"),
    ],
)
def test_an_authority_that_does_not_know_us_is_an_error(answer: Canned, words: str) -> None:
    with canned(answer) as service:
        ((_, status, said),) = told("clock", url=service.url, settings=hurried())
    assert status == "error"
    assert words in said
    assert "tenant.authority" in said


def dated(date: str) -> Any:
    """A service whose clock shows this."""
    return canned(Canned(headers={"Date": date}))


@pytest.mark.usefixtures("starts_processes")
def test_a_wider_permission_does_and_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [name for name in (*READS, *WRITES) if name not in ("User.EnableDisableAccount.All", "MailboxSettings.Read")]
    roles = [name for name in kept if not name.startswith("UserAuthMethod-")]
    roles += ["User.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"]
    monkeypatch.setenv("PATH", f"{az(tmp_path, {'roles': roles})}:/usr/bin:/bin")
    found = {line[0]: line for line in told("permissions to read", url=None, settings={"tenant": AZURE})}
    assert {line[1] for line in found.values()} == {"warning", "ok", "skipped"}
    assert "covered by User.ReadWrite.All, which reaches further" in found["User.EnableDisableAccount.All"][2]
    assert "covered by MailboxSettings.ReadWrite" in found["MailboxSettings.Read"][2]
    assert "covered by UserAuthenticationMethod.ReadWrite.All" in found["UserAuthMethod-Phone.ReadWrite.All"][2]
    assert "User.ReadWrite.All" not in found


@pytest.mark.usefixtures("starts_processes")
def test_nothing_wider_does_for_ending_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [name for name in (*READS, *WRITES) if name != "User.RevokeSessions.All"]
    roles = [*kept, "User.ReadWrite.All", "Directory.ReadWrite.All"]
    monkeypatch.setenv("PATH", f"{az(tmp_path, {'roles': roles})}:/usr/bin:/bin")
    found = {line[0]: line for line in told("permissions to read", url=None, settings={"tenant": AZURE})}
    assert found["User.RevokeSessions.All"][1] == "error"


@pytest.mark.usefixtures("starts_processes")
def test_a_token_that_cannot_be_read_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = az(tmp_path, {}) / "az"
    file.write_text(re.sub(r'"accessToken": "[^"]*"', '"accessToken": "opaque"', file.read_text()))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ((_, status, words),) = told("permissions to read", url=None, settings={"tenant": AZURE})
    assert (status, words.partition(" ->")[0]) == ("skipped", "the token for Graph cannot be read")


def test_a_clock_that_cannot_be_compared_is_warned_about() -> None:
    with dated("yesterday") as service:
        ((_, status, words),) = told("clock", url=service.url)
    assert status == "warning"
    assert "sent no date" in words
