"""`respond init`: the file it writes is read by respond, and the script it prints runs."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from respond.cli.main import cli
from respond.doctor.needs import FAR_REACHING
from respond.errors import UsageError
from respond.settings import load_settings, load_tenants, shipped_config
from tests.helpers.command import Answer, respond

TENANT, WORKSPACE = "f0a1c2d3-1111-4222-8333-944445555666", "1ab00000-0000-4000-8000-000000000001"
ALL = [
    (identity, writes, cloud)
    for identity, writes, cloud in itertools.product(
        ("managed", "workload-identity", "certificate", "cli"), (True, False), ("public", "usgov-dod")
    )
    if not (identity == "cli" and writes)
]


def init(folder: Path, *options: str, identity: str = "managed", cloud: str = "public", writes: bool = True) -> Answer:
    given = ["--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--identity", identity, "--cloud", cloud]
    if identity == "workload-identity":
        given += ["--issuer", "https://oidc.example.com/1/", "--subject", "system:serviceaccount:soc:respond"]
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
    files = {file.name for file in folder.iterdir()} - {"init.json"}
    assert files == {file.name for file in shipped_config().glob("*.toml")}
    if identity == "certificate":
        assert tenant.read.certificate == str(folder / "respond-read.pem")
        assert Path(tenant.read.certificate).is_absolute()


def test_a_configuration_that_is_there_keeps_what_it_says(tmp_path: Path) -> None:
    mine = "# mine\n[hunt]\nsince = '7d'  # a week\n"
    (tmp_path / "respond.toml").write_text(mine)
    (tmp_path / "policy.toml").write_text((shipped_config() / "policy.toml").read_text() + "# mine\n")
    assert init(tmp_path).code == 0
    assert (tmp_path / "respond.toml").read_text().startswith(mine)
    settings = load_settings(tmp_path)
    assert (settings.tenant.tenant_id, settings.tenant.write.kind) == (TENANT, "managed-identity")
    assert (tmp_path / "policy.toml").read_text().endswith("# mine\n")


@pytest.mark.parametrize("identity", ["managed", "workload-identity", "certificate"])
def test_writing_can_be_added_later_and_nothing_else_changes(identity: str, tmp_path: Path) -> None:
    assert init(tmp_path, identity=identity, writes=False).code == 0
    file = tmp_path / "respond.toml"
    used = filled_by_hand(file)
    assert respond("init", "--dir", str(tmp_path), "--write").code == 0
    changed = [line for line in file.read_text().splitlines() if line not in used.splitlines()]
    assert {line.partition(" ")[0] for line in changed} <= {"kind", "certificate"}
    tenant = load_settings(tmp_path).tenant
    assert (tenant.read.client_id, tenant.write.kind) == (WORKSPACE, tenant.read.kind)
    again = respond("init", "--dir", str(tmp_path), "--write", "--force")
    assert (again.code, load_settings(tmp_path).schedule.every.total_seconds()) == (0, 900)
    assert f" {WORKSPACE}\n" in again.out, "the identity that the settings name is used"


def filled_by_hand(file: Path) -> str:
    """The file with an id and a setting that somebody has changed."""
    text = file.read_text().replace('every = "5m"', 'every = "15m"')
    head, found, tail = text.partition("[tenant.read]")
    text = head + found + tail.replace('client_id = ""', f'client_id = "{WORKSPACE}"', 1)
    file.write_text(text)
    return text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tenant-id", WORKSPACE], f'tenant.tenant_id is "{TENANT}", and would become "{WORKSPACE}"'),
        (["--identity", "certificate"], 'tenant.read.kind is "managed-identity", and would become "certificate"'),
        (["--cloud", "china"], 'tenant.cloud is "public", and would become "china"'),
    ],
)
def test_a_setting_is_replaced_only_when_that_is_said_and_then_shown(
    options: list[str], words: str, tmp_path: Path
) -> None:
    assert init(tmp_path, writes=False).code == 0
    before = filled_by_hand(tmp_path / "respond.toml")
    refused = respond("init", "--dir", str(tmp_path), "--read-only", *options)
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert (tmp_path / "respond.toml").read_text() == before
    forced = respond("init", "--dir", str(tmp_path), "--read-only", *options, "--force")
    assert forced.code == 0
    shown = [line for line in forced.err.splitlines() if re.match(r"[-+]\w", line)]
    assert shown[0].startswith("-")
    assert len(shown) in (2, 4)
    assert 'every = "15m"' in (tmp_path / "respond.toml").read_text()


def test_each_of_several_tenants_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
    named = ("--dir", str(tmp_path), "--identity", "certificate")
    ids = ("--tenant-id", TENANT, "--workspace-id", WORKSPACE, "--cloud", "public", "--write")
    assert respond("init", "--tenant", "contoso", *named, *ids).code == 0
    ids = ("--tenant-id", WORKSPACE, "--workspace-id", TENANT, "--cloud", "china", "--read-only")
    other = respond("init", "--tenant", "fabrikam", *named, *ids)
    assert other.code == 0
    both = load_tenants(tmp_path)
    assert {name: str(one.tenant.cloud) for name, one in both.items()} == {"contoso": "public", "fabrikam": "china"}
    assert both["contoso"].tenant.write.certificate == str(tmp_path / "respond-contoso-write.pem")
    assert "--tenant fabrikam" in other.out
    assert "say which one" in respond("init", "--dir", str(tmp_path)).err
    given = f"tenant.read.client_id={TENANT}"
    assert respond("init", "--tenant", "fabrikam", "--dir", str(tmp_path), "--fill", given).code == 0
    both = load_tenants(tmp_path)
    assert (both["contoso"].tenant.read.client_id, both["fabrikam"].tenant.read.client_id) == ("", TENANT)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("schedule.every=1m", "write KEY=VALUE; keys: tenant.workspace_resource_id"),
        ("tenant.read.client_id", "write KEY=VALUE"),
        ("tenant.read.client_id=respond", "'respond' is not an id"),
        ("tenant.workspace_resource_id=w", "is not the resource id of a workspace"),
        (f"tenant.read.client_id={TENANT}", "and would become"),
    ],
)
def test_an_id_that_is_none_or_another_is_not_filled_in(pair: str, words: str, tmp_path: Path) -> None:
    assert init(tmp_path, writes=False).code == 0
    before = filled_by_hand(tmp_path / "respond.toml")
    answer = respond("init", "--dir", str(tmp_path), "--fill", pair)
    assert (answer.code, words in answer.err) == (2, True)
    assert (tmp_path / "respond.toml").read_text() == before


def test_a_script_goes_to_a_file_and_not_over_one_of_somebody_else(tmp_path: Path) -> None:
    file = tmp_path / "setup.sh"
    assert init(tmp_path / "config", "--script", str(file)).out == ""
    assert file.read_text().startswith("#!/bin/sh\n# Written by respond init")
    assert file.stat().st_mode & 0o777 == 0o700
    assert init(tmp_path / "config", "--script", str(file)).code == 0
    file.write_text("#!/bin/sh\necho mine\n")
    answer = init(tmp_path / "config", "--script", str(file))
    assert (answer.code, "is not a script of respond init" in answer.err) == (2, True)
    assert file.read_text() == "#!/bin/sh\necho mine\n"


@pytest.mark.parametrize(("identity", "writes", "cloud"), ALL)
def test_every_printed_command_can_be_parsed_and_is_whole(
    identity: str, writes: bool, cloud: str, tmp_path: Path
) -> None:
    text = init(tmp_path / "a dir; with 'signs'", identity=identity, writes=writes, cloud=cloud).out
    assert subprocess.run(["/bin/sh", "-n"], input=text, capture_output=True, text=True, check=False).stderr == ""
    commands = text.partition("\nsign_in\n")[2]
    for line in commands.splitlines():
        if not line.startswith("#"):
            shlex.split(line, comments=True)
    assert not re.search(r"<[a-zA-Z]|\bTODO\b|None|\{\w+\}", commands)
    assert "device-code" not in text
    assert "respond doctor --config" in text
    assert not [line for line in text.splitlines() if line.startswith("respond ")], "no identity of respond is here"
    roles = [shlex.split(line, comments=True)[2] for line in text.splitlines() if line.startswith("assign ")]
    assert roles[:2] == ["Log Analytics Reader", "Microsoft Sentinel Responder"]
    assert len(roles) == (3 if writes else 2)
    assert ("User.RevokeSessions.All" in text) == writes
    assert ('\ngrant "$READ"' in text) == (identity != "cli")


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
