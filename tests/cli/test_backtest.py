"""`respond backtest`: a policy replayed on history, beside what analysts decided and beside a second policy."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.settings import LabFault, shipped_config
from tests.cli.test_tenant_hunt import CONTROL, LIVE_LINK, many
from tests.helpers.command import Answer, finish, respond, spawn
from tests.helpers.patience import patiently
from tests.lab.running_lab import RunningLab, running

pytestmark = pytest.mark.xdist_group("backtest")
RUTH, WEI = "af0b3677-0eb5-4336-879f-80c4de018262", "3b403ed9-c639-4fe5-bbc7-be9d1965887e"
POLICY, LAXER = (65, 20), (95, 65)
"""Thresholds of malicious and suspicious, far enough apart that the story's cases fall between them."""

QUERIES_BEFORE_USERS, QUERIES_A_USER = 4, 11


def incident(number: int, classification: str, day: str, *, hour: int = 16) -> dict[str, Any]:
    """One state of an incident with one alert."""
    return {
        "TimeGenerated": f"{day}T{hour}:00:00Z",
        "IncidentNumber": number,
        "Status": "Closed" if classification else "New",
        "Classification": classification,
        "FirstActivityTime": f"{day}T15:00:00Z",
        "LastActivityTime": f"{day}T15:30:00Z",
        "LastModifiedTime": f"{day}T{hour}:00:00Z",
        "CreatedTime": f"{day}T15:40:00Z",
        "AlertIds": [f"alert-{number}"],
    }


def alert(number: int, day: str, **entity: str) -> dict[str, Any]:
    """The alert of that incident, on one account."""
    entities = [{"$id": "1", "Type": "ip", "Address": "203.0.113.9"}, {"$id": "2", "Type": "account"} | entity]
    return {
        "TimeGenerated": f"{day}T15:35:00Z",
        "SystemAlertId": f"alert-{number}",
        "StartTime": f"{day}T15:00:00Z",
        "EndTime": f"{day}T15:30:00Z",
        "Entities": json.dumps(entities),
    }


BY_NAME = {"Name": "wei.zhang", "UPNSuffix": "contoso.com"}
INCIDENTS = [
    incident(1, "", "2026-04-15", hour=15),
    incident(1, "TruePositive", "2026-04-15"),
    incident(2, "FalsePositive", "2026-04-10", hour=15),
    incident(2, "BenignPositive", "2026-04-10"),  # reopened, and closed anew
    incident(3, "Undetermined", "2026-04-03"),
    incident(4, "FalsePositive", "2026-04-03"),
    incident(5, "", "2026-03-27"),
    incident(6, "TruePositive", "2026-03-20"),
    incident(7, "TruePositive", "2026-03-20"),
]
ALERTS = [
    alert(1, "2026-04-15", AadUserId=RUTH),
    alert(2, "2026-04-10", **BY_NAME),
    alert(3, "2026-04-03", AadUserId=WEI.upper()),
    alert(4, "2026-04-03", **BY_NAME),
    alert(5, "2026-03-27", AadUserId=WEI),
    alert(6, "2026-03-20", Name="wei.zhang", UPNSuffix="example.com"),
    alert(7, "2026-03-20", Name="wei.zhang"),
]


@dataclass(frozen=True)
class Replayed:
    """The story of a campaign with its incidents, replayed once by the shipped policy."""

    tenant: RunningLab
    answer: Answer


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("backtest")
    story = Path(shutil.copytree(scenario.find("campaign"), folder / "story"))
    for table, rows in (("SecurityIncident", INCIDENTS), ("SecurityAlert", ALERTS)):
        (story / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with running(story, folder / "lab") as tenant, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_STATE__URL", f"sqlite:///{folder / 'respond.db'}")
        patch.setenv("RESPOND_LAB__URL", tenant.url)
        yield Replayed(tenant, respond("backtest", "--since", "30d", "--json"))


@pytest.fixture
def result(replayed: Replayed, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The figures, while the tenant still answers."""
    monkeypatch.setenv("RESPOND_LAB__URL", replayed.tenant.url)
    assert (replayed.answer.code, replayed.answer.err) == (0, "")
    found: dict[str, Any] = replayed.answer.json
    return found


def policy(folder: Path, thresholds: tuple[int, int]) -> Path:
    """The shipped policy with other thresholds, alone in a directory."""
    text = (shipped_config() / "policy.toml").read_text()
    for key, value in zip(("malicious", "suspicious"), thresholds, strict=True):
        text, count = re.subn(rf"^{key} = \d+$", f"{key} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    folder.mkdir(exist_ok=True)
    (folder / "policy.toml").write_text(text)
    return folder / "policy.toml"


def answer_to(score: int, thresholds: tuple[int, int]) -> str:
    malicious, suspicious = thresholds
    return "contained" if score >= malicious else "asked" if score >= suspicious else "ignored"


def added(tallies: dict[str, dict[str, int]]) -> dict[str, int]:
    return {key: sum(tally[key] for tally in tallies.values()) for key in ("contained", "asked", "ignored")}


def test_each_case_is_answered_as_the_policy_would_have(result: dict[str, Any]) -> None:
    assert result["complete"]
    answers = {"malicious": "contained", "suspicious": "asked", "benign": "ignored"}
    assert all(case["answer"] == answers[case["verdict"]] for case in result["cases"])
    worst, *others = result["cases"]
    assert (worst["user"]["upn"], worst["answer"]) == ("ruth.adeyemi@contoso.com", "contained")
    assert {case["user"]["upn"] for case in others} == {"wei.zhang@contoso.com"}
    assert all(case["reason"] for case in result["cases"])


def test_a_case_is_judged_by_what_lay_before_it(result: dict[str, Any]) -> None:
    """The weekly device code of a developer becomes a habit in the course of the month."""
    weekly = sorted((case["at"], case["answer"]) for case in result["cases"] if "wei" in case["user"]["upn"])
    assert [answer for _, answer in weekly][-3:] == ["ignored"] * 3
    assert "ignored" not in [answer for _, answer in weekly][:3]
    assert "SigninLogs (history)" in {gap["source"] for gap in result["gaps"]}


def test_the_figures_add_up(result: dict[str, Any], replayed: Replayed) -> None:
    cases = result["cases"]
    for key in ("contained", "asked", "ignored"):
        assert result["answers"][key] == sum(case["answer"] == key for case in cases)
    for name in ("by_app", "by_network", "by_analyst"):
        assert added(result[name]) == result["answers"]
    assert result["sign_ins"] == sum(case["sign_ins"] for case in cases)
    story = scenario.find("campaign")
    rows = sum(
        len((story / f"{table}.jsonl").read_text().splitlines())
        for table in ("SigninLogs", "AADNonInteractiveUserSignInLogs")
    )
    assert 0 < result["log_rows"] <= rows
    assert result["users_done"] == result["users"]
    assert replayed.tenant.get("/_lab/writes") == []
    assert respond("cases", "--json").json == []


def test_the_newest_word_of_an_analyst_stands_beside_the_case(result: dict[str, Any]) -> None:
    said = [(case["user"]["id"], case["analyst"]) for case in sorted(result["cases"], key=lambda case: case["at"])]
    assert [analyst for user, analyst in said if user == RUTH] == ["TruePositive"]
    assert [analyst for user, analyst in said if user == WEI] == ["", "", "", "FalsePositive", "BenignPositive", ""]
    for name in ("TruePositive", "FalsePositive", "BenignPositive", "no incident"):
        cases = [case["answer"] for case in result["cases"] if (case["analyst"] or "no incident") == name]
        assert result["by_analyst"].pop(name) == {key: cases.count(key) for key in ("contained", "asked", "ignored")}
    assert result["by_analyst"] == {}


def test_what_analysts_said_and_nobody_can_read_is_a_gap(
    lab: Callable[..., RunningLab],
) -> None:
    lab(faults=(LabFault(match="POST */query", contains="SecurityIncident", status=403, times=0),))
    found = respond("backtest", "--since", "2d", "--json")
    assert (found.code, found.json["answers"]["contained"]) == (0, 1)
    assert "403" in {gap["source"]: gap["reason"] for gap in found.json["gaps"]}["SecurityIncident"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(POLICY, LAXER, id="laxer"),
        pytest.param(LAXER, POLICY, id="stricter again", marks=pytest.mark.soak),
        pytest.param(POLICY, POLICY, id="the same", marks=pytest.mark.soak),
    ],
)
def test_a_second_policy_lists_exactly_the_cases_that_it_answers_otherwise(
    first: tuple[int, int], second: tuple[int, int], result: dict[str, Any], tmp_path: Path
) -> None:
    config, other = policy(tmp_path / "first", first).parent, policy(tmp_path / "second", second)
    found = respond("backtest", "--json", "--config", str(config), "--policy", str(other)).json
    scores = {(case["at"], case["user"]["id"]): case["score"] for case in result["cases"]}
    answers = {key: (answer_to(score, first), answer_to(score, second)) for key, score in scores.items()}
    told = {
        (one["case"]["at"], one["case"]["user"]["id"]): (one["case"]["answer"], one["other_answer"])
        for one in found["differences"]
    }
    assert told == {key: pair for key, pair in answers.items() if len(set(pair)) == 2}
    assert len(told) == len(found["differences"])
    assert bool(told) == (first != second)
    assert all(one["other_reason"] for one in found["differences"])
    assert found["other_policy"] == str(other)


def test_without_a_second_policy_there_is_nothing_to_differ(result: dict[str, Any]) -> None:
    assert result["differences"] is None


def test_the_page_shows_the_figures_and_the_differences(result: dict[str, Any], tmp_path: Path) -> None:
    page = respond("backtest", "--policy", str(policy(tmp_path, LAXER)))
    assert page.code == 0
    text = " ".join(page.out.split())
    counts = result["answers"]
    assert f"{counts['contained']} contained · {counts['asked']} asked · {counts['ignored']} ignored" in text
    for name in ("by_app", "by_network", "by_analyst"):
        for key, tally in result[name].items():
            assert f"{key} {tally['contained']} {tally['asked']} {tally['ignored']}" in text
    assert "analyst: TruePositive" in text
    for case in result["cases"]:
        change = f"{case['answer']} ({case['score']}) -> {answer_to(case['score'], LAXER)} ({case['score']})"
        assert (change in text) == (case["answer"] != answer_to(case["score"], LAXER))
    changed = sum(case["answer"] != answer_to(case["score"], LAXER) for case in result["cases"])
    assert changed
    assert f"{changed} of these are answered otherwise by" in text
    assert "Nothing was changed" in text
    assert max(map(len, page.out.splitlines())) <= 110
    assert not LIVE_LINK.search(page.out)
    assert not CONTROL.search(page.out)
    assert "respond: hunting" in page.err
    assert "respond: replaying 3 of 3 users" in page.err


@pytest.mark.parametrize(
    ("line", "instead", "key"),
    [
        pytest.param(r"^\[weights\]$", "[weights]\nforty_two = 42", "weights.forty_two", id="unknown key"),
        pytest.param(r"^\[weights\]$", "[surprises]\n[weights]", "surprises", id="unknown section"),
        pytest.param(r"^threat_intel = 40$", "", "weights.threat_intel", id="a key is missing"),
        pytest.param(r"^malicious = \d+$", "malicious = 'high'", "thresholds.malicious", id="wrong type"),
        pytest.param(r"^malicious = \d+$", "malicious = 400", "thresholds.malicious", id="out of range"),
        pytest.param(r"^history = .*$", "history = 30", "usual.history", id="no unit"),
        pytest.param(r"^\[weights\]$", "[weights", "line", id="no TOML"),
        pytest.param(r"^\[weights\]$", "\udcff", "UTF-8", id="no text"),
    ],
)
def test_a_policy_that_cannot_be_read_is_one_line_that_names_file_and_key(
    line: str, instead: str, key: str, tmp_path: Path
) -> None:
    text, count = re.subn(line, instead, (shipped_config() / "policy.toml").read_text(), flags=re.MULTILINE)
    assert count == 1
    file = tmp_path / "other.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    found = respond("backtest", "--json", "--policy", str(file))
    assert (found.code, found.out) == (2, "")
    assert str(file) in found.err
    assert key in found.err
    assert found.err.count("\n") == 1


def test_a_policy_whose_thresholds_stand_on_their_heads_is_one_line(tmp_path: Path) -> None:
    file = policy(tmp_path, (30, 60))
    found = respond("backtest", "--policy", str(file))
    assert (found.code, found.out) == (2, "")
    assert f"{file}: thresholds.suspicious must lie below thresholds.malicious" in found.err


def test_a_policy_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    found = respond("backtest", "--policy", str(tmp_path))
    assert (found.code, found.out) == (2, "")
    assert f"--policy: {tmp_path} is not a file" in found.err
    assert found.err.count("\n") == 1


@pytest.mark.soak
def test_it_leaves_half_of_what_the_service_takes_to_others(
    lab: Callable[..., RunningLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = 1.0
    tenant = lab()
    faults = [{"match": "POST */query", "kind": "slow", "delay": "1s", "times": 0}]
    tenant.request("POST", "/_lab/faults", body=faults)
    monkeypatch.setenv("RESPOND_PACE__LOGS_AT_ONCE", "2")
    found = respond("backtest", "--json").json
    assert found["queries"] > 10, found
    assert found["seconds"] >= found["queries"] * slow, "two queries were under way at the same time"


def test_an_interrupt_ends_it_with_the_figures_until_then(
    tmp_path: Path, lab: Callable[..., RunningLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = lab(many(tmp_path / "many", 40), logs_latency="50ms")
    monkeypatch.setenv("RESPOND_HUNT__USERS_AT_ONCE", "1")
    process = spawn("backtest", "--since", "2d", "--json")
    wait_for(lambda: queries(tenant) > QUERIES_BEFORE_USERS + 2 * QUERIES_A_USER)
    process.send_signal(signal.SIGINT)
    cut = finish(process)
    found = cut.json
    assert (cut.code, found["complete"]) == (1, False)
    assert 0 < found["users_done"] < found["users"] == 40
    assert found["answers"] == {"contained": found["users_done"], "asked": 0, "ignored": 0}
    assert len(found["cases"]) == found["users_done"]
    assert cut.err == (
        f"respond: interrupted: the figures are of {found['users_done']} of 40 users; run it again for the rest\n"
    )
    assert tenant.get("/_lab/writes") == []
    assert respond("cases", "--json").json == []


def queries(tenant: RunningLab) -> int:
    return sum(call["path"].endswith("/query") for call in tenant.get("/_lab/requests"))


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + patiently(40)
    while time.monotonic() < until:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
