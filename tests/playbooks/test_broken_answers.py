"""Every request of a run, answered wrongly in every way: what was done is told, and nothing is green by a fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from respond.models.ladder import Rung
from respond.settings import LAB_WORKSPACE, shipped_config
from respond.store.cases import Store
from tests.helpers.broken_answers import FAULTS, BrokenTenant, at, broken_tenant, called, cell, marks
from tests.helpers.command import VICTIM, Answer, respond
from tests.helpers.dug_in_story import USER_ID, deeper, dig_deeper, policy, write_story
from tests.lab.running_lab import RunningLab
from tests.playbooks.test_contain import administrator
from tests.playbooks.test_crash_ladder import PATHS

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
MEMBERS = f"GET /v1.0/users/{USER_ID}/transitiveMemberOf"
REVOKE = f"POST /v1.0/users/{USER_ID}/revokeSignInSessions"
ELSEWHERE = {
    "count_sign_ins",
    "find_fresh_approvals",
    "find_fresh_redemptions",
    "find_graph_calls",
    "find_lookalikes",
    "hunt_approvals.basic",
    "hunt_events",
    "hunt_linked",
    "hunt_redemptions.basic",
    "published_hunt",
    "read_incidents",
}
"""Queries of other playbooks and other forms."""


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenTenant]:
    folder = tmp_path_factory.mktemp("broken")
    with broken_tenant(write_story(folder), folder) as tenant:
        yield tenant


@pytest.fixture(scope="module")
def administrators_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenTenant]:
    folder = tmp_path_factory.mktemp("protected")
    with broken_tenant(write_story(folder, edit=administrator), folder) as tenant:
        yield tenant


def request(name: str) -> tuple[str, str]:
    """A request by its line, or a query by its name."""
    return (name, "") if " " in name else ("POST *", marks()[name])


SAMPLE = [
    ("hunt_redemptions", "an empty 200", 1, "not-contained"),
    ("hunt_approvals", "cut off", 1, "not-contained"),
    ("find_footholds", "HTML", 3, "awaiting-approval"),
    ("find_clicks", "null", 0, "contained-verified"),
    (f"GET /v1.0/users/{USER_ID}/authentication/methods", "404", 4, "contained-unverified"),
    (f"GET /v1.0/users/{USER_ID}/oauth2PermissionGrants", "without its list", 4, "contained-unverified"),
    (f"GET /v1.0/users/{USER_ID}/mailFolders/inbox/messageRules", "an empty 200", 4, "contained-unverified"),
    (f"GET /v1.0/users/{USER_ID}/registeredDevices", "null", 4, "contained-unverified"),
    (f"GET /v1.0/users/{USER_ID}", "wrong types", 4, "contained-unverified"),
    (REVOKE, "dropped after", 0, "contained-verified"),
    (REVOKE, "HTML", 4, "contained-unverified"),
]
MORE = {
    (f"GET /v1.0/users/{USER_ID}/oauth2PermissionGrants", "without its list"),
    (f"GET /v1.0/users/{USER_ID}/mailFolders/inbox/messageRules", "an empty 200"),
    (f"GET /v1.0/users/{USER_ID}", "wrong types"),
    (REVOKE, "HTML"),
}
"""Read by the same lines as others; in `make soak`."""


@pytest.mark.parametrize(
    ("name", "fault", "code", "outcome"),
    [
        pytest.param(*one, marks=pytest.mark.soak if one[:2] in MORE else (), id=f"{one[0].split('/')[-1]}: {one[1]}")
        for one in SAMPLE
    ],
)
def test_a_wrong_answer_is_never_nothing_there(
    name: str,
    fault: str,
    code: int,
    outcome: str,
    tenant: BrokenTenant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, broken = cell(tenant, fault, request(name), tmp_path, monkeypatch)
    assert not broken
    assert (answer.code, answer.json["outcome"]) == (code, outcome), answer.err
    unverified = [one for one in answer.json["actions"] if one["verified"] is False]
    assert answer.json["gaps"] or unverified or fault == "dropped after", "nobody is told"


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=() if name == "without its list" else pytest.mark.soak) for name in FAULTS]
)
def test_a_protected_account_is_never_revoked_unasked(
    fault: str, administrators_tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = policy(tmp_path, protected={"roles": [GLOBAL_ADMINISTRATOR]})
    answer, broken = cell(administrators_tenant, fault, (MEMBERS, ""), tmp_path, monkeypatch, "--config", str(config))
    assert not broken
    assert administrators_tenant.writes() == []
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")


def test_answers_that_are_cut_at_the_greatest_size_are_gaps_and_the_hunt_goes_on(
    lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    lab(write_story(tmp_path), row_limit=1)
    answer = respond("--user", VICTIM, "--json")
    assert answer.json["verdict"] in ("malicious", "suspicious"), answer.err
    cut = {gap["source"] for gap in answer.json["gaps"] if "fit into an answer" in gap["reason"]}
    assert cut & {"SigninLogs", "AADNonInteractiveUserSignInLogs"}
    assert answer.json["outcome"] != "contained-verified"
    assert answer.json["ticket"]


@pytest.mark.parametrize("query", ["hunt_redemptions", pytest.param("hunt_approvals", marks=pytest.mark.soak)])
def test_a_dry_run_that_cannot_hunt_says_so_in_a_line(
    query: str, tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, broken = cell(tenant, "an empty 200", request(query), tmp_path, monkeypatch, "--dry-run")
    assert not broken
    assert (answer.code, answer.out) == (1, "")
    assert "the hunt is not complete: Log Analytics answered" in answer.err
    assert tenant.writes() == []


def test_a_revocation_that_cannot_be_read_back_is_unverified_and_devices_are_looked_at_again(
    tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, broken = cell(tenant, "500", (f"GET /v1.0/users/{USER_ID}", ""), tmp_path, monkeypatch)
    assert not broken
    assert (answer.code, answer.json["outcome"]) == (4, "contained-unverified"), answer.err
    revoked = answer.action("revoke_sessions")
    assert (revoked["status"], revoked["verified"]) == ("done", False)
    lines = tenant.lines()
    after = lines[len(lines) - lines[::-1].index(REVOKE) :]
    assert any(line.endswith("/registeredDevices") for line in after)


@pytest.mark.soak
def test_a_look_after_the_containment_that_fails_confirms_nothing_and_has_a_ticket(
    tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.restore()
    at(tenant, tmp_path, monkeypatch)
    config = str(policy(tmp_path, watch=["1s"]))
    contained = respond("--user", VICTIM, "--json", "--config", config)
    assert (contained.code, contained.json["outcome"]) == (0, "contained-verified"), contained.err
    line, mark = request("hunt_redemptions")
    tenant.set({"match": line, "contains": mark, "times": 0, **FAULTS["an empty 200"]})
    time.sleep(1.0)
    watched = respond("watch", "--once", "--config", config)
    assert watched.code == 3, watched
    assert "not-contained: could not be judged" in watched.out, watched
    with closing(Store(f"sqlite:///{tmp_path / 'respond.db'}")) as store:
        tickets = [ticket.body for report in store.all_reports() if (ticket := store.ticket(report.case))]
    assert any("could not be judged" in body for body in tickets)


@pytest.fixture(scope="module")
def deep_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenTenant]:
    """Everything that an attacker can dig in with."""
    folder = tmp_path_factory.mktemp("deep")
    with broken_tenant(write_story(folder, edit=dig_deeper, rows={"AuditLogs": deeper()}), folder) as tenant:
        yield tenant


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every containment action is sent, and the ticket is an incident of Sentinel, which the lab answers as well."""
    plan = policy(tmp_path, malicious=dict.fromkeys((rung.value for rung in Rung), "auto"), watch=[])
    monkeypatch.setenv("RESPOND_CONFIG", str(plan))
    monkeypatch.setenv("RESPOND_TICKETS__SYSTEM", "sentinel")
    monkeypatch.setenv("RESPOND_TENANT__WORKSPACE_RESOURCE_ID", LAB_WORKSPACE)


def requests_of(tenant: BrokenTenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What a run asks that nothing befalls."""

    def clean() -> Answer:
        at(tenant, folder / "clean", monkeypatch)
        return respond("--user", VICTIM, "--json")

    return tenant.asked(clean)


@pytest.mark.soak
@pytest.mark.usefixtures("everything")
def test_the_matrix_has_every_query_and_every_write(
    deep_tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = requests_of(deep_tenant, tmp_path, monkeypatch)
    asked = {name for name, mark in marks().items() if ("POST *", mark) in requests}
    queries = {path.name.removesuffix(".kql") for path in (shipped_config() / "queries").glob("*.kql")}
    assert queries - asked == ELSEWHERE
    written = {line for line, mark in requests if not mark and not line.startswith("GET ")}
    for rung, path in PATHS.items():
        assert any(fnmatchcase(line.lower(), f"{path}*".lower()) for line in written), rung
    assert any("/incidents/" in line and line.startswith("PUT ") for line in written)


@pytest.mark.soak
@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("fault", FAULTS)
def test_no_wrong_answer_breaks_a_rule(
    fault: str, deep_tenant: BrokenTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matrix: every distinct request of a run that nothing befalls, answered wrongly in this way for ever."""
    failing: dict[str, Any] = {}
    for number, one in enumerate(requests_of(deep_tenant, tmp_path, monkeypatch)):
        _, broken = cell(deep_tenant, fault, one, tmp_path / str(number), monkeypatch)
        if broken:
            failing[called(one)] = broken
    assert not failing
