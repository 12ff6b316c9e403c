"""`respond hunt`: the whole tenant judged as if each user had been looked at alone, with a handful of queries."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from tests.helpers.command import VICTIM, Answer, respond
from tests.lab.running_lab import USER, RunningLab, running

pytestmark = pytest.mark.xdist_group("tenant-hunt")
Start = Callable[..., RunningLab]
WORST_FIRST = ["malicious", "suspicious", "benign", "no-activity"]
FEW, MANY = 5, 300
FEW_QUERIES = 15
ABSENT = {
    "EmailEvents",
    "EmailUrlInfo",
    "EmailPostDeliveryEvents",
    "UrlClickEvents",
    "MessageEvents",
    "MessageUrlInfo",
    "MicrosoftGraphActivityLogs",
    "AADGraphActivityLogs",
    "OfficeActivity",
    "CloudAppEvents",
    "AuditLogs",
    "ThreatIntelIndicators",
    "ThreatIntelligenceIndicator",
    "IdentityInfo",
    "AADRiskyUsers",
}
LIVE_LINK = re.compile(r"https?://", re.IGNORECASE)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
EVIL = "\x1b[31m\u202eEvil [bold]app[/bold] https://evil.example/x"


@dataclass(frozen=True)
class Hunted:
    """One tenant, what the hunt said about it, and what it had asked."""

    tenant: RunningLab
    expect: dict[str, str]
    answer: Answer
    calls: list[dict[str, Any]]


def users(survey: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The sign-ins of each user, worst first, by UPN in lower case."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in survey["sign_ins"]:
        found.setdefault(row["user"]["upn"].lower(), []).append(row)
    return found


def asked(calls: list[dict[str, Any]]) -> int:
    """Questions to the workspace and to Defender."""
    return sum(call["path"].endswith(("/query", "HuntingQuery")) for call in calls)


def many(folder: Path, count: int) -> Path:
    """The seed's attack on many users, each with a few days of history."""
    seed = scenario.find("seed-true-positive")
    folder.mkdir()
    shutil.copy(seed / "scenario.json", folder)
    directory = json.loads((seed / "directory.json").read_text())
    (user,) = directory["users"]
    names = [(f"{USER[:-4]}{n:04x}", f"user{n}@contoso.com") for n in range(count)]
    directory |= {"riskyUsers": [], "users": [user | {"id": i, "userPrincipalName": u, "mail": u} for i, u in names]}
    (folder / "directory.json").write_text(json.dumps(directory))
    for table in seed.glob("*.jsonl"):
        first, *rest = table.read_text().splitlines(keepends=True)
        text = first + "".join(rest[::8] if table.stem == "SigninLogs" else rest)
        told = [text] if table.stem == "ThreatIntelIndicators" else [_told_of(text, *name) for name in names]
        (folder / table.name).write_text("".join(told))
    return folder


def _told_of(text: str, user: str, upn: str) -> str:
    """The same rows with ids of their own."""
    own = re.sub(r'"([abcef9]0000000|5b6d8f00|00c0ffee|9f0c6c5e)', lambda id_: f'"{id_[1][:4]}{user[-4:]}', text)
    return re.sub(VICTIM, upn, own.replace(USER, user), flags=re.IGNORECASE)


@pytest.fixture(scope="module", params=["campaign", pytest.param("second-wave", marks=pytest.mark.soak)])
def hunted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hunted]:
    """Two stories of several people, looked at once."""
    folder, place = tmp_path_factory.mktemp(request.param), scenario.find(request.param)
    expect = {upn: person["verdict"] for upn, person in scenario.outline(place).expect.items()}
    with running(place, folder) as tenant:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RESPOND_STATE__URL", f"sqlite:///{folder / 'respond.db'}")
            patch.setenv("RESPOND_LAB__URL", tenant.url)
            answer = respond("hunt", "--json")
            calls = tenant.get("/_lab/requests")
        yield Hunted(tenant, expect, answer, calls)


@pytest.fixture
def survey(hunted: Hunted, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What it said, while its tenant still answers."""
    monkeypatch.setenv("RESPOND_LAB__URL", hunted.tenant.url)
    assert hunted.answer.code == 0, hunted.answer.err
    found: dict[str, Any] = hunted.answer.json
    return found


def test_each_user_gets_the_verdict_of_a_good_analyst(hunted: Hunted, survey: dict[str, Any]) -> None:
    found = users(survey)
    assert found.keys() <= hunted.expect.keys()
    worst = {upn: found[upn][0]["verdict"] if upn in found else "no-activity" for upn in hunted.expect}
    assert worst == hunted.expect


def test_the_verdict_on_a_user_is_that_of_a_look_at_the_user_alone(survey: dict[str, Any]) -> None:
    upn, rows = list(users(survey).items())[-1 if len(users(survey)) == 2 else 0]
    alone = respond("--user", upn, "--dry-run", "--json").json
    assert (rows[0]["verdict"], rows[0]["score"]) == (alone["verdict"], alone["score"])
    assert rows[0]["legs"] == alone["legs"]


def test_a_session_from_before_the_window_is_judged_as_for_the_user_alone(lab: Start) -> None:
    """Signage that was approved weeks ago is refreshed all day, and signs in anew: both are one look's."""
    lab("kiosk-signage")
    (upn,) = scenario.outline(scenario.find("kiosk-signage")).expect
    worst, *_ = users(respond("hunt", "--json").json)[upn]
    assert worst["verdict"] == "benign", worst["reason"]


def test_a_guest_is_named_as_our_directory_does(lab: Start) -> None:
    """The rows carry the name at home, by which nobody here can look the guest up."""
    lab("guest")
    (upn,) = scenario.outline(scenario.find("guest")).expect
    (worst, *_) = users(respond("hunt", "--json").json)[upn.lower()]
    assert worst["verdict"] == "malicious"


def test_the_worst_comes_first(survey: dict[str, Any]) -> None:
    order = [(WORST_FIRST.index(row["verdict"]), -row["score"]) for row in survey["sign_ins"]]
    assert len(order) > 1
    assert order == sorted(order)


def test_the_counts_are_those_of_the_list(survey: dict[str, Any]) -> None:
    for name in ("verdict", "app", "country"):
        assert survey["counts"][name] == Counter(row[name] for row in survey["sign_ins"])
    assert survey["users"] == len(users(survey))


def test_each_sign_in_has_a_reason_and_one_that_issued_a_token_has_its_legs(survey: dict[str, Any]) -> None:
    for row in survey["sign_ins"]:
        assert row["reason"]
        issued = row["verdict"] != "no-activity"
        assert bool(row["legs"]) == issued
        if issued:
            assert row["ip"] in {leg["ip"] for leg in row["legs"]}
            assert row["score"] == max(0, min(100, sum(finding["weight"] for finding in row["findings"])))


def test_a_hunt_changes_nothing(hunted: Hunted, survey: dict[str, Any]) -> None:
    assert survey["sign_ins"]
    sent = {call["path"].rpartition("/")[2] for call in hunted.calls if call["method"] != "GET"}
    assert sent == {"query", "microsoft.graph.security.runHuntingQuery", "token"}
    assert hunted.tenant.get("/_lab/writes") == []
    assert respond("cases", "--json").json == []


def test_it_asks_as_many_queries_as_it_says(hunted: Hunted, survey: dict[str, Any]) -> None:
    assert survey["queries"] == asked(hunted.calls) <= FEW_QUERIES


@pytest.mark.parametrize("hunted", ["campaign"], indirect=True)
def test_the_page_names_each_sign_in_and_says_that_nothing_was_changed(survey: dict[str, Any]) -> None:
    page = respond("hunt")
    assert page.code == 0
    text = " ".join(page.out.split())
    for row in survey["sign_ins"]:
        verdict = row["verdict"].upper()
        assert f"{verdict} {row['score']}" in text or (verdict in text and not row["score"])
        assert row["user"]["upn"] in text
        assert " ".join(row["reason"].split()) in text
    assert "Nothing was changed" in text
    assert max(map(len, page.out.splitlines())) <= 110
    assert not LIVE_LINK.search(page.out)


@pytest.mark.parametrize("hunted", ["campaign"], indirect=True)
def test_users_in_chunks_are_judged_the_same(survey: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_HUNT__USERS_AT_ONCE", "1")
    chunks = respond("hunt", "--json").json
    assert chunks["queries"] > survey["queries"]
    assert chunks["sign_ins"] == survey["sign_ins"]


@pytest.mark.soak
def test_the_number_of_queries_does_not_grow_with_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    queries = set()
    for count in (FEW, MANY):
        story = many(tmp_path / str(count), count)
        with running(story, tmp_path_factory.mktemp("lab")) as tenant:
            monkeypatch.setenv("RESPOND_LAB__URL", tenant.url)
            found = respond("hunt", "--json").json
            calls = tenant.get("/_lab/requests")
        assert found["counts"]["verdict"] == {"malicious": count}
        assert found["gaps"] == []
        assert found["queries"] == asked(calls)
        queries.add(found["queries"])
    assert len(queries) == 1
    assert queries.pop() <= FEW_QUERIES


@pytest.mark.soak
def test_a_confirmation_alone_is_no_device_code(lab: Start) -> None:
    lab("mobile-confirm")
    found = respond("hunt", "--json")
    assert (found.code, found.json["sign_ins"]) == (0, [])


def test_a_sign_in_that_only_defender_marks_is_found(lab: Start) -> None:
    lab("unmarked-cmsi")
    (row,) = respond("hunt", "--json").json["sign_ins"]
    assert (row["user"]["upn"], row["verdict"]) == ("chloe.tremblay@contoso.com", "malicious")


def test_without_leave_to_ask_defender_its_mark_is_a_named_gap(lab: Start) -> None:
    lab("unmarked-cmsi", withheld_permissions=("ThreatHunting.Read.All",))
    found = respond("hunt", "--json")
    gaps = {gap["source"]: gap["reason"] for gap in found.json["gaps"]}
    assert found.code == 0
    assert "403" in gaps["EntraIdSignInEvents"]


def test_a_hunt_that_is_told_not_to_ask_defender_does_not(lab: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = lab("unmarked-cmsi")
    monkeypatch.setenv("RESPOND_HUNT__DEFENDER", "false")
    found = respond("hunt", "--json").json
    assert found["sign_ins"] == found["gaps"] == []
    assert not [call for call in tenant.get("/_lab/requests") if "unHuntingQuery" in call["path"]]


def test_since_is_how_far_back_it_looks(lab: Start) -> None:
    lab("seed-true-positive")
    page = respond("hunt", "--since", "5m")
    assert page.code == 0
    assert "no device code sign-in" in page.out
    found = respond("hunt", "--since", "1h", "--json").json
    assert [row["user"]["upn"] for row in found["sign_ins"]] == [VICTIM]


@pytest.mark.parametrize("length", ["0h", "-3d", "yesterday", "24", "400d", ""])
@pytest.mark.parametrize("command", ["hunt", "backtest"])
def test_a_length_that_is_none_is_one_line(command: str, length: str) -> None:
    found = respond(command, "--since", length, "--json")
    assert (found.code, found.out) == (2, "")
    assert "--since" in found.err
    assert found.err.count("\n") == 1


def test_what_is_not_connected_is_a_gap_each_and_clears_nobody(lab: Start, seed_variant: Callable[..., Path]) -> None:
    def absent(story: dict[str, Any]) -> None:
        story["absent_tables"] = sorted(ABSENT)

    story = seed_variant(scenario=absent)
    for table in ABSENT:
        (story / f"{table}.jsonl").unlink(missing_ok=True)
    lab(story)
    found = respond("hunt", "--json").json
    assert {gap["source"] for gap in found["gaps"]} == ABSENT
    assert all("no table" in gap["reason"] for gap in found["gaps"])
    assert found["counts"]["verdict"] == {"malicious": 1}


def test_neither_sign_in_table_is_one_line_and_no_survey(lab: Start, seed_variant: Callable[..., Path]) -> None:
    tables = ("SigninLogs", "AADNonInteractiveUserSignInLogs")

    def absent(story: dict[str, Any]) -> None:
        story["absent_tables"] = list(tables)

    story = seed_variant(scenario=absent)
    for table in tables:
        (story / f"{table}.jsonl").unlink()
    lab(story)
    found = respond("hunt", "--json")
    assert (found.code, found.out) == (1, "")
    assert "neither SigninLogs nor AADNonInteractiveUserSignInLogs" in found.err
    assert found.err.count("\n") == 1


def test_an_attackers_text_is_shown_and_does_nothing(lab: Start, seed_variant: Callable[..., Path]) -> None:
    def evil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.update({"AppDisplayName": EVIL, "UserAgent": f"python-requests {EVIL}", "UserDisplayName": EVIL})

    lab(seed_variant(SigninLogs=evil, AADNonInteractiveUserSignInLogs=evil))
    page = respond("hunt")
    assert page.code == 0, page.err
    assert not CONTROL.search(page.out)
    assert not LIVE_LINK.search(page.out)
    assert "[bold]app[/bold] hxxps://evil[.]example/x" in " ".join(page.out.split())
