"""`respond show CASE`: both legs side by side, why, what is not known, and when; on the terminal, as HTML, as JSON."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from respond.console import page as console
from respond.lab import scenario
from respond.models.intake import Sighting, Trigger
from respond.models.report import Report
from tests.helpers.command import VICTIM, Answer, respond
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group("show")
EVIL = "<script>alert(1)</script> \x1b[31m\u202e[bold]https://evil.example/x \"quoted\" & 'so'"
SHOWN = "<script>alert(1)</script> ?[31m?[bold]hxxps://evil[.]example/x"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOME = {"IPAddress": "203.0.113.24", "AutonomousSystemNumber": "64500", "Location": "US"}
ABSENT = ["MessageEvents", "AuditLogs"]


@dataclass(frozen=True)
class Case:
    """One answered case, and the store that keeps it."""

    state: str
    answer: Answer

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = self.answer.json
        return found


@pytest.fixture(scope="module", params=["seen", pytest.param("unseen", marks=pytest.mark.soak)])
def answered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The seed's attack with an attacker's text in it, approved at home; with and without its redeeming leg."""
    folder = tmp_path_factory.mktemp(request.param)
    story = Path(shutil.copytree(scenario.find("seed-true-positive"), folder / "story"))
    for table in ("SigninLogs", "AADNonInteractiveUserSignInLogs"):
        file = story / f"{table}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row.update({"AppDisplayName": EVIL, "UserAgent": f"python-requests {EVIL}"})
            row.update(HOME if table == "SigninLogs" else {})
        kept = rows if table == "SigninLogs" or request.param == "seen" else []
        file.write_text("".join(json.dumps(row) + "\n" for row in kept))
    mail = json.loads((story / "EmailEvents.jsonl").read_text()) | {"Subject": EVIL}
    (story / "EmailEvents.jsonl").write_text(json.dumps(mail))
    head = json.loads((story / "scenario.json").read_text()) | {"absent_tables": ABSENT}
    (story / "scenario.json").write_text(json.dumps(head))
    state = f"sqlite:///{folder / 'respond.db'}"
    with running(story, folder / "lab") as tenant, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_STATE__URL", state)
        patch.setenv("RESPOND_LAB__URL", tenant.url)
        answer = respond("--user", VICTIM, "--json")
    return Case(state, answer)


@pytest.fixture
def case(answered: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Its lab is gone: what is shown comes from the store alone."""
    monkeypatch.setenv("RESPOND_STATE__URL", answered.state)
    monkeypatch.setenv("RESPOND_LAB__URL", "http://127.0.0.1:9")
    assert answered.answer.out, answered.answer.err
    return answered


@pytest.fixture
def pages(case: Case, tmp_path: Path) -> list[str]:
    """The page on the terminal, and the words of the same page as HTML."""
    page, file = respond("show", case.report["case"]), tmp_path / "page.html"
    assert (page.code, page.err) == (0, "")
    html = respond("show", case.report["case"], "--html", str(file))
    assert (html.code, html.out, html.err) == (0, "", "")
    return [page.out, unescape(re.sub(r"<[^>]*>", "", file.read_text(encoding="utf-8").partition("<body")[2]))]


def words(text: str) -> str:
    return " ".join(text.split())


def test_both_legs_stand_side_by_side(case: Case, pages: list[str]) -> None:
    approval, *redemptions = case.report["legs"]
    for page in pages:
        legs = page[: page.index("why")].splitlines()
        (line,) = [line for line in legs if line.strip().startswith("address")]
        assert line.split()[1:] == [approval["ip"], *(leg["ip"] for leg in redemptions)]
        assert "approved" in page
        assert ("newest refresh" in page) == (len(redemptions) == 2)


def test_findings_stand_with_their_weights(case: Case, pages: list[str]) -> None:
    assert case.report["findings"]
    for page in pages:
        text = words(page)
        for finding in case.report["findings"]:
            assert f"{finding['weight']:+d} {words(finding['summary'])[:40]}" in text
        assert f"{case.report['verdict'].upper()} {case.report['score']}" in text


def test_gaps_and_timeline_are_there(case: Case, pages: list[str]) -> None:
    assert {gap["source"] for gap in case.report["gaps"]} >= set(ABSENT)
    assert case.report["timeline"]
    for page in pages:
        text = words(page)
        assert all(gap["source"] in text for gap in case.report["gaps"])
        for moment in case.report["timeline"]:
            assert f"{moment['at'][11:19]}Z {words(moment['what'])[:30]}" in text


def test_an_unseen_redeemer_is_said_to_be_one(case: Case, pages: list[str]) -> None:
    seen = any(leg["leg"] == "redeeming" for leg in case.report["legs"])
    for page in pages:
        assert ("no row shows who redeemed the code" in words(page.partition("why")[0])) != seen


def test_what_is_shown_does_nothing(pages: list[str], case: Case, tmp_path: Path) -> None:
    for page in pages:
        assert SHOWN.replace(" ", "") in "".join(page.split())
        assert not CONTROL.search(page)
        assert not re.search(r"https?://", page, re.IGNORECASE)
    respond("show", case.report["case"], "--html", str(tmp_path / "again.html"))
    html = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|a|img|link|iframe|object|embed|form)\b", html, re.IGNORECASE)
    assert "&lt;script&gt;" in html
    assert not CONTROL.search(html)
    assert not re.search(r"https?://", html.partition("<body")[2], re.IGNORECASE)


def test_json_is_the_report_with_its_legs(case: Case) -> None:
    shown = respond("show", case.report["case"], "--json")
    assert (shown.code, shown.json) == (0, case.report)
    assert [leg["leg"] for leg in shown.json["legs"]][:1] == ["approving"]
    assert all(leg["table"] and leg["id"] and leg["at"] for leg in shown.json["legs"])


def test_a_case_is_found_in_small_letters_too(case: Case) -> None:
    assert respond("show", case.report["case"].lower(), "--json").json["case"] == case.report["case"]


def test_the_list_of_cases_names_it(case: Case) -> None:
    listed = respond("cases")
    assert case.report["case"] in listed.out
    assert not CONTROL.search(listed.out)


@pytest.mark.parametrize("name", ["DC-NOSUCH", "../../etc/passwd", "%", "x' OR '1'='1"])
def test_a_case_that_is_not_there_is_one_line(name: str) -> None:
    shown = respond("show", name)
    assert (shown.code, shown.out) == (2, "")
    assert "there is no case" in shown.err
    assert shown.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_line(case: Case, tmp_path: Path) -> None:
    shown = respond("show", case.report["case"], "--html", str(tmp_path / "no" / "page.html"))
    assert (shown.code, shown.out) == (2, "")
    assert "--html" in shown.err
    assert shown.err.count("\n") == 1


def test_who_saw_it_first_is_told_when_several_did(case: Case) -> None:
    began = datetime(2026, 1, 15, 14, 5, 2, tzinfo=UTC)
    later = began + timedelta(minutes=3, seconds=12)
    seen = (
        Sighting(path=Trigger.SCHEDULE, ref="", at=began),
        Sighting(path=Trigger.WEBHOOK, ref="one", at=later),
        Sighting(path=Trigger.WEBHOOK, ref="two", at=later + timedelta(hours=1)),
        Sighting(path=Trigger.COMMAND, ref="three", at=began + timedelta(days=2, minutes=5)),
    )
    report = Report.model_validate(case.report)
    assert "14:05:02Z first · webhook 3 min 12 s later · command 2 d 5 min later" in shown(report, seen)
    assert "14:05:02Z first" not in shown(report, seen[:1])


def shown(report: Report, seen: tuple[Sighting, ...]) -> str:
    terminal = Console(width=200, record=True, file=io.StringIO())
    terminal.print(console.page(report.model_copy(update={"sightings": seen})))
    return terminal.export_text()
