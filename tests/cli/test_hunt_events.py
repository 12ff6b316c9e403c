"""Sign-ins from Defender XDR in the place of a sign-in table: what that can show, and that it clears nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.clients.rows import read_event
from respond.lab import scenario
from respond.models.base import Gap
from respond.models.evidence import AddressUse
from respond.models.flows import join_flows
from respond.models.report import VerdictKind
from respond.models.signin import Flow, Leg, SignIn, SignIns
from tests.decision.test_decision import AT_HOME, HABIT, judged, usual, with_rows
from tests.helpers.command import VICTIM, Answer, respond
from tests.lab.running_lab import RunningLab

APPROVALS, REDEMPTIONS, EVENTS = "SigninLogs", "AADNonInteractiveUserSignInLogs", "EntraIdSignInEvents"
BENIGN, HINTED = "nikos.andreou@contoso.com", "chloe.tremblay@contoso.com"

Start = Callable[..., RunningLab]
Without = Callable[..., None]


@pytest.fixture
def without(lab: Start, tmp_path: Path) -> Without:
    """A lab with a scenario of which the workspace lacks some tables, and Defender has its own of sign-ins."""

    def start(name: str, *tables: str, **settings: Any) -> None:
        folder = Path(shutil.copytree(scenario.find(name), tmp_path / "story"))
        head = json.loads((folder / "scenario.json").read_text()) | {"absent_tables": list(tables)}
        (folder / "scenario.json").write_text(json.dumps(head))
        for table in tables:
            (folder / f"{table}.jsonl").unlink()
        lab(folder, **settings)

    return start


def gaps(answer: Answer) -> dict[str, str]:
    return {gap["source"]: gap["reason"] for gap in answer.json["gaps"]}


def look(who: str) -> Answer:
    return respond("--user", who, "--dry-run", "--json")


def test_who_redeemed_a_code_is_shown_by_defender_and_nobody_is_cleared_by_it(without: Without) -> None:
    """The same person is benign with the table: what the token was refreshed for is not known without it."""
    without("foreign-vpn", REDEMPTIONS)
    answer = look(BENIGN)
    assert {leg["leg"]: leg["table"] for leg in answer.json["legs"]} == {"approving": APPROVALS, "redeeming": EVENTS}
    assert (answer.code, answer.json["verdict"]) == (3, "suspicious")
    assert "redeemer-unseen" not in {finding["id"] for finding in answer.json["findings"]}
    assert "no table" in gaps(answer)[REDEMPTIONS]
    assert gaps(answer)[EVENTS].startswith(f"read in the place of {REDEMPTIONS}: ")


@pytest.mark.parametrize(
    "variable",
    [
        "RESPOND_HUNT__DEFENDER=false",
        pytest.param(f"RESPOND_SOURCES__{REDEMPTIONS.upper()}=workspace", marks=pytest.mark.soak),
    ],
)
def test_defender_is_not_asked_for_sign_ins_where_the_settings_say_so(
    variable: str, without: Without, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("="))
    without("foreign-vpn", REDEMPTIONS)
    answer = look(BENIGN)
    assert [leg["table"] for leg in answer.json["legs"]] == [APPROVALS]
    assert "redeemer-unseen" in {finding["id"] for finding in answer.json["findings"]}


@pytest.mark.soak
def test_a_table_that_is_set_to_defender_is_a_gap_of_the_workspace(lab: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else that stands on it is read there either: the history of a user, other users of an address."""
    monkeypatch.setenv(f"RESPOND_SOURCES__{REDEMPTIONS.upper()}", "defender")
    lab("foreign-vpn")
    answer = look(BENIGN)
    assert gaps(answer)[REDEMPTIONS] == f"sources.{REDEMPTIONS} is defender: not read in the workspace"
    assert [leg["table"] for leg in answer.json["legs"]] == [APPROVALS, EVENTS]
    assert answer.json["verdict"] == "suspicious"


def test_with_neither_table_a_confirmed_sign_in_is_for_a_person(without: Without) -> None:
    without("unmarked-cmsi", APPROVALS, REDEMPTIONS)
    answer = look(HINTED)
    assert answer.code == 3
    assert answer.json["verdict"] in ("suspicious", "malicious")
    assert {APPROVALS, REDEMPTIONS} <= gaps(answer).keys()
    assert {leg["table"] for leg in answer.json["legs"]} == {EVENTS}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({}, "clears nobody", id="nothing found"),
        pytest.param({"withheld_permissions": ("ThreatHunting.Read.All",)}, "403", id="not granted"),
    ],
)
def test_with_neither_table_and_nothing_from_defender_the_run_fails_in_one_line(
    settings: dict[str, Any], said: str, without: Without
) -> None:
    without("seed-true-positive", APPROVALS, REDEMPTIONS, **settings)
    answer = look(VICTIM)
    assert (answer.code, answer.out) == (1, "")
    (line,) = answer.err.strip().splitlines()
    assert f"neither {APPROVALS} nor {REDEMPTIONS}" in line
    assert said in line


ROW: dict[str, Any] = {
    "At": "2026-01-15T09:24:58Z",
    "RequestId": "r-1",
    "AccountObjectId": "u-1",
    "CorrelationId": "c-1",
    "ErrorCode": 0,
    "RiskLevelAggregated": 100,
    "IsManaged": 0,
    "IsCompliant": 1,
}


@pytest.mark.parametrize(
    ("logon", "correlation", "leg", "in_browser"),
    [
        ('["nonInteractiveUser"]', "c-1", Leg.REDEEMING, False),
        ('["nonInteractiveUser"]', "c-2", Leg.LINKED, False),
        ('["interactiveUser"]', "c-1", Leg.LINKED, True),
        ("", "c-1", Leg.LINKED, True),
    ],
)
def test_a_client_in_the_background_redeemed_what_the_workspace_marks(
    logon: str, correlation: str, leg: Leg, in_browser: bool
) -> None:
    row = read_event(ROW | {"LogonType": logon, "CorrelationId": correlation}, marked={"c-1"})
    assert (row.leg, row.in_browser, row.confirmed) == (leg, in_browser, False)
    assert (row.risk, row.device.managed, row.device.compliant) == ("high", False, True)


def test_a_row_that_nothing_marks_makes_no_device_code() -> None:
    row = read_event(ROW | {"LogonType": '["nonInteractiveUser"]'}, marked=set())
    assert not Flow(rows=(row,)).is_marked


def from_defender(row: SignIn) -> dict[str, Any]:
    return {"table": EVENTS, "background": True} if row.table == REDEMPTIONS else {}


def test_the_strongest_habit_is_not_cleared_by_what_defender_shows() -> None:
    evidence = usual(AT_HOME, tenant=(AddressUse(ip="192.0.2.10", users=9, days=9),))
    assert judged(HABIT, evidence).kind is VerdictKind.BENIGN
    doubted = judged(with_rows(HABIT, from_defender), evidence)
    assert doubted.kind is VerdictKind.SUSPICIOUS
    (doubt,) = (finding for finding in doubted.findings if finding.id == "cannot-be-cleared")
    assert "refreshed" in doubt.summary


@pytest.mark.parametrize(
    ("missing", "kind"),
    [
        ((REDEMPTIONS,), VerdictKind.NO_ACTIVITY),
        ((APPROVALS, REDEMPTIONS), VerdictKind.SUSPICIOUS),
    ],
)
def test_a_confirmation_is_for_a_person_where_no_table_could_have_marked_it(
    missing: tuple[str, ...], kind: VerdictKind
) -> None:
    confirmed = read_event(ROW, marked=set()).model_copy(update={"confirmed": True})
    gaps = tuple(Gap(source=table, reason="the workspace has no table of that name") for table in missing)
    verdict = judged(SignIns(flows=join_flows([confirmed]), gaps=gaps))
    assert verdict.kind is kind
    assert ("cannot-be-cleared" in {finding.id for finding in verdict.findings}) is (kind is VerdictKind.SUSPICIOUS)
