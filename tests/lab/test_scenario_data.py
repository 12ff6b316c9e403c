"""The lab's scenarios are well-formed: real columns, real types, expectations that can be checked."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "respond" / "lab"
SCENARIOS = sorted(path.parent for path in (LAB / "scenarios").glob("*/scenario.json"))
COLUMNS = LAB.parent / "log_schema.json"
VERDICTS = {"malicious", "suspicious", "benign", "no-activity"}
COLLECTIONS = {
    "users",
    "groups",
    "roleAssignments",
    "devices",
    "servicePrincipals",
    "oauth2PermissionGrants",
    "riskyUsers",
    "messageRules",
    "authenticationMethods",
}
SIGN_IN_TABLES = ("SigninLogs", "AADNonInteractiveUserSignInLogs")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GUID_COLUMNS = ("Id", "CorrelationId", "SessionId", "UserId", "AppId", "ResourceIdentity", "HomeTenantId")
DOCUMENTATION = [
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
# The hunt's own example names a real Tor exit; it stays as its author published it.
PUBLISHED = {"185.220.101.47"}

Row = dict[str, Any]

every_scenario = pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)


@cache
def _schema() -> dict[str, dict[str, str]]:
    known = json.loads(COLUMNS.read_text("utf-8"))
    tables: dict[str, dict[str, str]] = {**known.get("defender_xdr", {}), **known.get("sentinel", known)}
    return tables


def _head(folder: Path) -> Row:
    head: Row = json.loads((folder / "scenario.json").read_text("utf-8"))
    return head


def _directory(folder: Path) -> Row:
    directory: Row = json.loads((folder / "directory.json").read_text("utf-8"))
    return directory


def _rows(folder: Path, *tables: str) -> Iterator[tuple[str, int, Row]]:
    for path in sorted(folder.glob("*.jsonl")):
        if not tables or path.stem in tables:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                yield path.stem, number, json.loads(line)


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "datetime": lambda value: isinstance(value, str) and STAMP.fullmatch(value) is not None,
    "bool": lambda value: isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "int": _integer,
    "long": _integer,
    "real": lambda value: _integer(value) or isinstance(value, float),
    "dynamic": lambda _: True,
}


def test_every_verdict_is_represented() -> None:
    told = {person["verdict"] for folder in SCENARIOS for person in _head(folder)["expect"].values()}
    assert told == VERDICTS


@every_scenario
def test_the_head_says_what_happened_and_what_to_conclude(folder: Path) -> None:
    head = _head(folder)
    assert set(head) == {"title", "now", "absent_tables", "expect"}
    assert head["title"]
    assert STAMP.fullmatch(head["now"])
    for person in head["expect"].values():
        assert {"verdict", "why"} <= set(person) <= {"verdict", "why", "rungs"}
        assert person["verdict"] in VERDICTS
        assert person["why"].endswith(".")


@every_scenario
def test_the_directory_knows_everybody_it_names(folder: Path) -> None:
    directory = _directory(folder)
    assert set(directory) <= COLLECTIONS
    ids = {user["id"] for user in directory["users"]}
    names = {user["userPrincipalName"] for user in directory["users"]}
    assert len(ids) == len(names) == len(directory["users"])
    assert set(_head(folder)["expect"]) <= names
    named = {member for group in directory.get("groups", []) for member in group["members"]}
    named |= {owner for device in directory.get("devices", []) for owner in device["registeredOwners"]}
    named |= {risky["id"] for risky in directory.get("riskyUsers", [])}
    named |= set(directory.get("messageRules", {})) | set(directory.get("authenticationMethods", {}))
    assert named <= ids
    holders = ids | {group["id"] for group in directory.get("groups", [])}
    assert {assignment["principalId"] for assignment in directory.get("roleAssignments", [])} <= holders


@every_scenario
def test_rows_have_the_columns_and_types_of_the_real_tables(folder: Path) -> None:
    schema = _schema()
    wrong = []
    for table, number, row in _rows(folder):
        for name, value in row.items():
            kind = schema.get(table, {}).get(name)
            if kind is None or not (value is None or FITS[kind](value)):
                wrong.append(f"{table}.jsonl:{number}: {name} ({kind}) = {value!r}")
    assert wrong == []
    assert set(_head(folder)["absent_tables"]) <= set(schema)


@every_scenario
def test_nested_sign_in_columns_are_json_text_only_where_the_real_ones_are(folder: Path) -> None:
    for table, _, row in _rows(folder, *SIGN_IN_TABLES):
        for name in ("DeviceDetail", "LocationDetails", "Status"):
            value = json.loads(row[name]) if table == "AADNonInteractiveUserSignInLogs" else row[name]
            assert isinstance(value, dict), f"{table} {row['Id']} {name}"


@every_scenario
def test_an_absent_table_has_no_file(folder: Path) -> None:
    assert not {path.stem for path in folder.glob("*.jsonl")} & set(_head(folder)["absent_tables"])


@every_scenario
def test_nothing_arrives_before_it_happens_or_after_now(folder: Path) -> None:
    now = _when(_head(folder)["now"])
    for table, number, row in _rows(folder):
        arrived = _when(row.get("TimeGenerated") or row["Timestamp"])
        happened = _when(row.get("CreatedDateTime") or row.get("ActivityDateTime") or arrived.isoformat())
        assert happened <= arrived <= now, f"{table}.jsonl:{number}"


@every_scenario
def test_identifiers_are_guids_and_addresses_are_for_documentation(folder: Path) -> None:
    for _, _, row in _rows(folder, *SIGN_IN_TABLES):
        assert all(GUID.fullmatch(row[name]) for name in GUID_COLUMNS if row.get(name))
        ip = row["IPAddress"].replace("XXX", "0")
        assert ip in PUBLISHED or any(ipaddress.ip_address(ip) in net for net in DOCUMENTATION)


@every_scenario
def test_no_activity_means_that_no_token_was_issued_to_a_device_code_in_the_last_day(folder: Path) -> None:
    head = _head(folder)
    ids = {user["userPrincipalName"]: user["id"] for user in _directory(folder)["users"]}
    since = _when(head["now"]) - timedelta(hours=24)
    issued = {
        row["UserId"]
        for _, _, row in _rows(folder, *SIGN_IN_TABLES)
        if row["ResultType"] == "0"
        and ("deviceCode" in row["AuthenticationProtocol"] + row["OriginalTransferMethod"] or _unmarked(folder))
        and _when(row["CreatedDateTime"]) > since
    }
    for upn, person in head["expect"].items():
        assert (ids[upn] in issued) == (person["verdict"] != "no-activity"), upn


def _unmarked(folder: Path) -> bool:
    """A tenant whose sign-ins never say how they were asked for."""
    said = {
        row[name]
        for _, _, row in _rows(folder, *SIGN_IN_TABLES)
        for name in ("AuthenticationProtocol", "OriginalTransferMethod")
    }
    return said == {"none"}


def _tells(folder: Path, user: str) -> set[str]:
    """Single facts that a lazy rule would decide on."""
    since = _when(_head(folder)["now"]) - timedelta(hours=24)
    rows = [row for _, _, row in _rows(folder, *SIGN_IN_TABLES) if row["UserId"] == user and row["ResultType"] == "0"]
    new = [row for row in rows if _when(row["CreatedDateTime"]) > since]
    legs = [row for row in new if "deviceCode" in row["AuthenticationProtocol"] + row["OriginalTransferMethod"]]
    before = {row["Location"] for row in rows if _when(row["CreatedDateTime"]) <= since}
    approvals = [row for row in legs if row["AuthenticationProtocol"] == "deviceCode"]
    addresses = {row["IPAddress"] for row in legs}
    facts = {
        "compliant approval": any(row["DeviceDetail"].get("isCompliant") is True for row in approvals),
        "script client": any(row["UserAgent"].startswith(("python", "node", "axios")) for row in legs),
        "legs apart": len(addresses) > 1,
        "risk at sign-in": any(row["RiskLevelDuringSignIn"] in {"low", "medium", "high"} for row in legs),
        "country not seen the days before": any(row["Location"] not in before for row in legs),
        "indicator": any(row["ObservableValue"] in addresses for _, _, row in _rows(folder, "ThreatIntelIndicators")),
        "lure": any("-account.workers.dev" in row["Url"] for _, _, row in _rows(folder, "EmailUrlInfo")),
        "Graph calls": any(row["UserId"] == user for _, _, row in _rows(folder, "MicrosoftGraphActivityLogs")),
        "device registered": any(row["OperationName"] == "Register device" for _, _, row in _rows(folder, "AuditLogs")),
    }
    return {name for name, true in facts.items() if true}


@pytest.mark.parametrize(
    "tell",
    [
        "compliant approval",
        "script client",
        "legs apart",
        "risk at sign-in",
        "country not seen the days before",
        "indicator",
        "lure",
        "Graph calls",
        "device registered",
    ],
)
def test_no_single_fact_separates_malicious_from_benign(tell: str) -> None:
    seen: dict[str, set[bool]] = {"malicious": set(), "benign": set()}
    for folder in SCENARIOS:
        ids = {user["userPrincipalName"]: user["id"] for user in _directory(folder)["users"]}
        for upn, person in _head(folder)["expect"].items():
            if person["verdict"] in seen:
                seen[person["verdict"]].add(tell in _tells(folder, ids[upn]))
    assert seen == {"malicious": {True, False}, "benign": {True, False}}


def test_the_committed_files_are_what_the_builder_writes() -> None:
    check = [sys.executable, "-m", "tools.scenarios.build", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
