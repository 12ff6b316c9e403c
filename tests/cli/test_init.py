"""`respond init`: the file it writes is read by respond, and the script it prints runs."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from respond.cli.init import filled
from respond.cli.main import cli
from respond.doctor.needs import FAR_REACHING, enabled, is_graph, is_read, is_write
from respond.errors import UsageError
from respond.policies import load_policy
from respond.settings import load_settings, shipped_config
from tests.helpers.command import Answer, respond

TENANT, WORKSPACE = "f0a1c2d3-1111-4222-8333-944445555666", "1ab00000-0000-4000-8000-000000000001"
ALL = [
    (identity, writes, cloud)
    for identity, writes, cloud in itertools.product(
        ("managed", "certificate", "cli"), (True, False), ("public", "usgov-dod")
    )
    if not (identity == "cli" and writes)
]
FAKE_AZ = r"""#!/bin/sh
printf '%s\037' "$@" >> "$ASKED"
echo >> "$ASKED"
name=found
for word; do case "$word" in respond-*) name=$word;; esac; done
while [ $# -gt 1 ]; do case "$1" in --query) query=$2;; --id) id=$2;; esac; all="$all $1"; shift; done
case "$all" in
  *"workspace list"*) echo /subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w;;
  *"identity show"*) echo "principal-$name";;
  *"sp create"*) echo "principal-$id";;
  *) case "$query" in
    appRoles*) role=${query#*\'}; echo "id-of-${role%%\'*}";;
    ?*) echo "$name-$query";;
  esac;;
esac
"""


def init(folder: Path, *options: str, identity: str = "managed", cloud: str = "public", writes: bool = True) -> Answer:
    given = ("--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--identity", identity, "--cloud", cloud)
    return respond("init", *given, "--write" if writes else "--read-only", "--dir", str(folder), *options)


@pytest.mark.parametrize(("identity", "writes", "cloud"), ALL)
def test_what_it_writes_is_a_configuration_with_its_comments(
    identity: str, writes: bool, cloud: str, tmp_path: Path
) -> None:
    folder = tmp_path / "con fig"
    assert init(folder, identity=identity, writes=writes, cloud=cloud).code == 0
    settings = load_settings(folder)
    tenant = settings.tenant
    assert (tenant.mode, tenant.cloud, tenant.tenant_id, tenant.workspace_id) == ("azure", cloud, TENANT, WORKSPACE)
    kind = {"managed": "managed-identity"}.get(identity, identity)
    assert (tenant.read.kind, tenant.write.kind) == (kind, kind if writes else "")
    shipped = (shipped_config() / "respond.toml").read_text().splitlines()
    written = (folder / "respond.toml").read_text().splitlines()
    assert len(shipped) == len(written)
    assert [line for line in shipped if line.startswith("#")] == [line for line in written if line.startswith("#")]
    changed = {before.partition(" ")[0] for before, after in zip(shipped, written, strict=True) if before != after}
    assert changed <= {"mode", "cloud", "tenant_id", "workspace_id", "kind", "certificate"}
    assert {file.name for file in folder.iterdir()} == {file.name for file in shipped_config().glob("*.toml")}


def test_a_configuration_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "respond.toml").write_text("[hunt]\nsince = '7d'\n")
    (tmp_path / "policy.toml").write_text((shipped_config() / "policy.toml").read_text() + "# mine\n")
    answer = init(tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "respond.toml exists; name another directory with --dir, or write it anew with --force" in answer.err
    assert (tmp_path / "respond.toml").read_text() == "[hunt]\nsince = '7d'\n"
    assert init(tmp_path, "--force").code == 0
    assert load_settings(tmp_path).tenant.tenant_id == TENANT
    assert (tmp_path / "policy.toml").read_text().endswith("# mine\n")


def run_script(text: str, folder: Path) -> list[list[str]]:
    """What a script asked of az, in order; nothing else outside is reached."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("openssl", "sleep", "respond"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "$OTHER"\n' + _makes_files(name))
    (tools / "az").write_text(FAKE_AZ)
    for tool in tools.iterdir():
        tool.chmod(0o755)
    asked, other = folder / "asked", folder / "other"
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "ASKED": str(asked), "OTHER": str(other)}
    done = subprocess.run(["/bin/sh"], input=text, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert other.read_text().splitlines()[-1].startswith("respond doctor --config")
    return [line.split("\037")[:-1] for line in asked.read_text().splitlines()]


def _makes_files(name: str) -> str:
    loop = 'while [ $# -gt 0 ]; do case "$1" in -keyout|-out) touch "$2";; esac; shift; done\n'
    return loop if name == "openssl" else ""


@pytest.mark.parametrize(("identity", "cloud"), [("managed", "public"), ("certificate", "usgov")])
def test_the_script_grants_each_identity_what_its_actions_need_and_no_more(
    identity: str, cloud: str, tmp_path: Path
) -> None:
    folder = tmp_path / "it's here"
    asked = run_script(init(folder, identity=identity, cloud=cloud).out, tmp_path)
    graph = {"public": "graph.microsoft.com", "usgov": "graph.microsoft.us"}[cloud]
    granted: dict[str, set[str]] = {}
    for words in asked:
        if words[:3] == ["rest", "--method", "POST"]:
            body = json.loads(words[words.index("--body") + 1])
            url = words[words.index("--url") + 1]
            assert url == f"https://{graph}/v1.0/servicePrincipals/{body['principalId']}/appRoleAssignments"
            assert body["resourceId"] == "found-id"
            granted.setdefault(body["principalId"], set()).add(body["appRoleId"].removeprefix("id-of-"))
    needed = enabled(load_settings(folder), load_policy(folder))
    needed = {name: why for name, why in needed.items() if name not in FAR_REACHING}
    reads = {name for name, why in needed.items() if is_graph(name) and is_read(name, why)}
    writes = {name for name, why in needed.items() if is_graph(name) and is_write(name, why)}
    assert "User.RevokeSessions.All" in writes - reads
    assert "User.Read.All" in writes & reads
    assert sorted(granted.values(), key=len) == sorted((reads, writes), key=len)
    assert all("respond-read" in who or "respond-write" in who for who in granted)


@pytest.mark.parametrize(("identity", "writes", "cloud"), ALL)
def test_every_printed_command_can_be_parsed_and_is_whole(
    identity: str, writes: bool, cloud: str, tmp_path: Path
) -> None:
    text = init(tmp_path / "a dir; with 'signs'", identity=identity, writes=writes, cloud=cloud).out
    assert subprocess.run(["/bin/sh", "-n"], input=text, capture_output=True, text=True, check=False).stderr == ""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.lstrip().startswith("#"):
            shlex.split(line, comments=True)
    assert not re.search(r"<[a-zA-Z]|\bTODO\b|None|\{\w+\}", text)
    assert "device-code" not in text
    assert text.rstrip().splitlines()[-1].startswith("respond doctor --config")
    assigned = [shlex.split(line) for line in text.splitlines() if line.startswith("az role assignment create")]
    roles = [words[words.index("--role") + 1] for words in assigned]
    assert roles[:2] == ["Log Analytics Reader", "Microsoft Sentinel Responder"]
    assert len(roles) == (3 if writes else 2)
    assert ("User.RevokeSessions.All" in text) == writes
    assert ("grant " in text) == (identity != "cli")


def test_what_the_policy_rules_out_is_not_granted(tmp_path: Path) -> None:
    ladder = (shipped_config() / "ladder.toml").read_text()
    never = re.sub(
        r'^(disable_rule|disable_device|delete_device|remove_method) = "\w+"',
        r'\1 = "never"',
        ladder,
        flags=re.MULTILINE,
    )
    (tmp_path / "ladder.toml").write_text(never)
    text = init(tmp_path).out
    assert "Mailbox" not in text
    assert "Device.ReadWrite.All" not in text
    assert "UserAuth" not in text
    assert 'grant "$WRITE" User.RevokeSessions.All' in text


@pytest.mark.parametrize(
    ("rung", "permission"),
    [
        ("disable_application", "Application.ReadWrite.All"),
        ("remove_secret", "Application.ReadWrite.All"),
        ("remove_role", "RoleManagement.ReadWrite.Directory"),
    ],
)
@pytest.mark.parametrize("may", ["auto", "ask", "never"])
def test_what_reaches_far_is_granted_only_where_its_action_runs_unasked(
    may: str, rung: str, permission: str, tmp_path: Path
) -> None:
    ladder = (shipped_config() / "ladder.toml").read_text()
    rungs = "disable_application|remove_secret|remove_role"
    plan = re.sub(rf'^({rungs}) = "\w+"', r'\1 = "never"', ladder, flags=re.MULTILINE)
    (tmp_path / "ladder.toml").write_text(plan.replace(f'{rung} = "never"', f'{rung} = "{may}"', 1))
    lines = init(tmp_path).out.splitlines()
    granted = [line for line in lines if line.startswith(f'grant "$WRITE" {permission}')]
    apart = [line for line in lines if line.startswith(f'# grant "$WRITE" {permission}')]
    assert (len(granted), len(apart)) == {"auto": (1, 0), "ask": (0, 1), "never": (0, 0)}[may]
    assert all(rung in line for line in (*granted, *apart))
    assert any(line.startswith("# Optional, and far-reaching") for line in lines) == (may == "ask")


def test_permissions_lists_apart_what_is_optional() -> None:
    listed = respond("permissions").out.partition("Optional, and far-reaching")
    assert all(name in listed[2] and name not in listed[0] for name in FAR_REACHING)
    assert "User.RevokeSessions.All" in listed[0]
    assert "User.RevokeSessions.All" not in listed[2]
    rows = json.loads(respond("permissions", "--json").out)
    assert {row["permission"] for row in rows if row["optional"]} == FAR_REACHING


def test_what_is_not_said_is_asked_for(tmp_path: Path) -> None:
    answers = f"{TENANT}\n{WORKSPACE}\nusgov\ncertificate\ny\n"
    done = CliRunner().invoke(cli, ["init", "--dir", str(tmp_path)], input=answers, standalone_mode=False)
    assert done.exception is None
    tenant = load_settings(tmp_path).tenant
    assert (tenant.cloud, tenant.read.kind, tenant.write.kind) == ("usgov", "certificate", "certificate")
    assert done.stdout.startswith("#!/bin/sh")


def test_where_nobody_can_be_asked_the_safe_answer_holds(tmp_path: Path) -> None:
    given = ["init", "--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--dir", str(tmp_path)]
    assert CliRunner().invoke(cli, given, input="", standalone_mode=False).exception is None
    tenant = load_settings(tmp_path).tenant
    assert (tenant.cloud, tenant.read.kind, tenant.write.kind) == ("public", "managed-identity", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workspace-id", WORKSPACE], "--tenant-id: say which; there is nobody to ask"),
        (["--tenant-id", "contoso.com", "--workspace-id", WORKSPACE], "--tenant-id: 'contoso.com' is not an id"),
        (["--tenant-id", TENANT, "--workspace-id", "$(id)"], "--workspace-id: '$(id)' is not an id"),
        (
            ["--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--identity", "cli", "--write"],
            "--identity cli is for developers",
        ),
    ],
)
def test_an_answer_that_is_none_is_named(options: list[str], words: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["init", "--dir", str(tmp_path), *options], input="", standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert words in done.exception.message
    assert not (tmp_path / "respond.toml").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = init(tmp_path / "file" / "config")
    assert (answer.code, answer.out) == (2, "")
    assert "--dir: " in answer.err


def test_a_value_is_put_into_its_own_section_only() -> None:
    text = '[a]\n# why\nkind = ""\n[a.b]\nkind = ""\n'
    values: dict[tuple[str, str], str] = {("a.b", "kind"): 'a "quoted" \\ value'}
    assert tomllib.loads(filled(text, values)) == {"a": {"kind": "", "b": {"kind": 'a "quoted" \\ value'}}}
    missing: Any = {("a.b", "other"): "x"}
    with pytest.raises(UsageError, match="lacks"):
        filled(text, missing)
