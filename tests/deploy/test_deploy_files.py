"""`deploy/compose.yaml` and `deploy/respond.service`: what neither may do, and that each check refuses something."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from respond.durations import parse_duration
from respond.settings import Serve, Settings
from tests.helpers.command import ROOT
from tests.helpers.postgres import Uri

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
UNIT = (ROOT / "deploy" / "respond.service").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NEEDED_TO_STOP = Serve().grace + parse_duration("10s")


def faults(file: dict[str, Any]) -> list[str]:
    found = [fault for name, service in file["services"].items() for fault in of_service(name, service, file)]
    for name in file["secrets"].keys() & {key for key in file["secrets"] if "__" in key}:
        section, key = name.split("__")
        if section not in Settings.model_fields or key not in type(Settings.model_fields[section].default).model_fields:
            found.append(f"{name} is no setting")
    return found


def of_service(name: str, service: dict[str, Any], file: dict[str, Any]) -> Iterator[str]:
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
        yield f"{name}: its root can be written, or it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield f"{name}: may gain privileges"
    if any(not port.startswith("127.0.0.1:") for port in service.get("ports", [])) or (
        service.get("ports") and name != "respond"
    ):
        yield f"{name}: publishes more than the service on loopback"
    if "healthcheck" not in service and service["image"] != "respond":
        yield f"{name}: nobody sees whether it is well"
    for secret in service.get("secrets", []):
        if not file["secrets"].get(secret, {}).get("file"):
            yield f"{name}: no file for the secret {secret}"
    for variable, value in service.get("environment", {}).items():
        if re.search(r"password|secret|token|url", variable, re.IGNORECASE) and not str(value).startswith(
            "/run/secrets"
        ):
            yield f"{name}: {variable} holds a secret in plain text"
    if service["image"] == "respond" and parse_duration(service.get("stop_grace_period", "10s")) < NEEDED_TO_STOP:
        yield f"{name}: is killed before it has finished what it began"


def test_the_compose_file_keeps_the_rules() -> None:
    assert faults(COMPOSE) == []
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert COMPOSE["services"]["database"]["networks"] == ["database"]
    assert "HEALTHCHECK" in DOCKERFILE


Change = Callable[[dict[str, Any]], Any]
BROKEN: dict[str, tuple[Change, str]] = {
    "a root that can be written": (lambda s: s["respond"].update(read_only=False), "root can be written"),
    "capabilities": (lambda s: s["database"].update(cap_drop=[]), "keeps capabilities"),
    "privileges": (lambda s: s["respond"].update(security_opt=[]), "may gain privileges"),
    "the world": (lambda s: s["respond"].update(ports=["8080:8080"]), "more than the service on loopback"),
    "the database's port": (lambda s: s["database"].update(ports=["127.0.0.1:5432:5432"]), "more than the service"),
    "no health check": (lambda s: s["database"].pop("healthcheck"), "nobody sees"),
    "a secret without a file": (lambda s: s["respond"]["secrets"].append("tenant__secret"), "no file for the secret"),
    "a password": (
        lambda s: s["database"]["environment"].update(POSTGRES_PASSWORD="made-up"),
        "holds a secret in plain text",
    ),
    "a hasty end": (lambda s: s["worker"].update(stop_grace_period="10s"), "is killed before"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_compose_file_is_refused(name: str) -> None:
    file = copy.deepcopy(COMPOSE)
    break_it, said = BROKEN[name]
    break_it(file["services"])
    assert any(said in fault for fault in faults(file)), faults(file)


def test_a_secret_that_is_no_setting_is_refused() -> None:
    file = copy.deepcopy(COMPOSE)
    file["secrets"]["webhook__password"] = {"file": "x"}
    assert faults(file) == ["webhook__password is no setting"]


def test_the_places_of_the_compose_file_are_those_of_the_image() -> None:
    service = COMPOSE["services"]["respond"]
    assert "RESPOND_STATE__DIR=/var/lib/respond" in DOCKERFILE
    assert [volume.split(":")[1] for volume in service["volumes"]] == ["/etc/respond", "/var/lib/respond"]
    assert service["environment"]["RESPOND_CONFIG"] == "/etc/respond"
    assert (ROOT / "deploy" / service["build"] / "Dockerfile").is_file()


SCRIPT = (ROOT / "deploy" / "database.sh").read_text()


def test_the_database_user_of_the_compose_file_owns_one_database_and_is_no_superuser(pg: Uri) -> None:
    database = COMPOSE["services"]["database"]
    assert "./database.sh:/docker-entrypoint-initdb.d/respond.sh:ro" in database["volumes"]
    assert database["environment"]["POSTGRES_USER"] != "respond"
    said = SCRIPT.split("<<'END'\n")[1].removesuffix("END\n").replace(":'password'", "'made up'")
    with psycopg.connect(pg("postgres"), autocommit=True) as admin:
        try:
            for statement in said.strip().split("\n"):
                admin.execute(statement.encode())
            rights = admin.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles "
                "WHERE rolname = 'respond'"
            ).fetchone()
            owner = admin.execute(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'respond'"
            ).fetchone()
        finally:
            admin.execute("DROP DATABASE IF EXISTS respond")
            admin.execute("DROP ROLE IF EXISTS respond")
    assert (rights, owner) == ((False,) * 5, ("respond",))


def directives(text: str) -> dict[str, list[str]]:
    """Each key of the unit with its values."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.match(r"[A-Z]\w+=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
        else:
            assert not line or line.startswith(("#", "[")), f"neither key, section nor comment: {line}"
    return found


def test_the_unit_runs_without_rights_and_writes_to_its_state_alone() -> None:
    unit = directives(UNIT)
    wanted = {
        "User": "respond",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "respond",
        "Restart": "always",
        "StartLimitIntervalSec": "0",
    }
    assert {key: unit[key] for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert "ReadWritePaths" not in unit
    (start,) = unit["ExecStart"]
    assert start.endswith("respond serve --host 127.0.0.1 --port 8080")
    assert parse_duration(f"{unit['TimeoutStopSec'][0]}s") >= NEEDED_TO_STOP
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert "RESPOND_STATE__DIR=/var/lib/respond" in unit["Environment"][0]
    assert not re.search(r"(SECRET|PASSWORD|TOKEN)=", UNIT)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    assert complaints(tmp_path, UNIT) == []
    if shutil.which("systemd-analyze"):
        assert complaints(tmp_path, UNIT.replace("ProtectSystem=strict", "ProtectSystem=strickt"))


def complaints(folder: Path, text: str) -> list[str]:
    """What `systemd-analyze verify` says, where there is one; without it, keys that systemd does not have."""
    unit = folder / "respond.service"
    unit.write_text(text.replace("/opt/respond/bin/respond", shutil.which("true") or "/bin/true"))
    if analyze := shutil.which("systemd-analyze"):
        said = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        return [line for line in (said.stdout + said.stderr).splitlines() if "respond.service" in line]
    return sorted(directives(text).keys() - KNOWN)


KNOWN = {
    "Description",
    "Wants",
    "After",
    "Type",
    "ExecStart",
    "Restart",
    "RestartPreventExitStatus",
    "StartLimitIntervalSec",
    "RestartSec",
    "TimeoutStopSec",
    "Environment",
    "EnvironmentFile",
    "User",
    "StateDirectory",
    "StateDirectoryMode",
    "UMask",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "NoNewPrivileges",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "LockPersonality",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "RemoveIPC",
    "SystemCallArchitectures",
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "WantedBy",
}
