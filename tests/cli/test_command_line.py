"""The command line's contract: JSON, exit codes, one line for every kind of bad input."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from respond.settings import shipped_config
from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import ROOT, VICTIM, finish, respond, spawn
from tests.lab.running_lab import RunningLab

answered = _answered
SCHEMA = json.loads((shipped_config() / "report.schema.json").read_text())


UPN, OBJECT_ID = VICTIM, "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"


@pytest.mark.parametrize(
    ("who", "arguments"),
    [
        pytest.param(UPN, (), id="upn-live", marks=pytest.mark.soak),
        pytest.param(OBJECT_ID, (), id="object-id-live"),
        pytest.param(UPN, ("--dry-run",), id="upn-dry-run"),
        pytest.param(OBJECT_ID, ("--dry-run",), id="object-id-dry-run", marks=pytest.mark.soak),
    ],
)
def test_json_is_one_document_that_keeps_the_shipped_schema(
    who: str, arguments: tuple[str, ...], lab: Callable[..., RunningLab]
) -> None:
    lab()
    answer = respond("--user", who, *arguments, "--json")
    jsonschema.Draft202012Validator(SCHEMA).validate(answer.json)
    assert answer.err == ""


def test_json_has_the_fields_of_the_contract(answered: Answered) -> None:
    report = answered(Way.CONTAINED).report
    assert set(report) >= {
        "case", "mode", "tenant", "user", "window", "verdict", "score", "findings", "gaps", "actions", "outcome",
        "ticket", "timeline", "timings_ms",
    }  # fmt: skip
    assert set(report["user"]) == {"id", "upn", "display_name"}
    assert set(report["window"]) == {"from", "to"}
    assert set(report["timings_ms"]) == {"hunt", "decided", "evidence", "contained", "total"}
    times = report["timings_ms"]
    assert 0 < times["hunt"] <= times["decided"] <= times["contained"] <= times["total"]
    assert set(report["ticket"]) == {"system", "id", "url"}
    assert Path(report["ticket"]["url"].removeprefix("file://")).is_file()
    for finding in report["findings"]:
        assert {"id", "weight", "summary", "evidence"} <= set(finding)
        assert all({"table", "id", "at"} <= set(row) and row["at"].endswith("Z") for row in finding["evidence"])
    assert sum(finding["weight"] for finding in report["findings"]) >= report["score"]
    assert [moment["at"] for moment in report["timeline"]] == sorted(moment["at"] for moment in report["timeline"])


def test_the_shipped_schema_is_the_one_that_the_models_make() -> None:
    assert respond("schema").out == (shipped_config() / "report.schema.json").read_text()


BAD_USERS = [
    "x' or 1==1 | union *",
    "two\nlines@contoso.com",
    "a" * 10_000 + "@contoso.com",
    "sep\u2028arator@contoso.com",
    "nul\x00@contoso.com",
    "no-domain",
    "a@b@contoso.com",
    "",
    "../../v1.0/users@contoso.com/revokeSignInSessions",
    "$(id)@contoso.com; drop",
]


@pytest.mark.parametrize("who", BAD_USERS, ids=range(len(BAD_USERS)))
def test_a_malformed_user_is_one_line_and_exit_2(who: str) -> None:
    answer = respond("--user", who, "--json")
    assert answer.code == 2
    assert answer.out == ""
    assert one_line(answer.err)
    assert len(answer.err) < 300


@pytest.mark.parametrize("since", ["", "soon", "-1h", "0h", "24", "1.5h", "99999999d", "400d", "24h; now()"])
def test_a_since_that_is_no_duration_is_one_line_and_exit_2(since: str) -> None:
    answer = respond("--user", VICTIM, "--since", since)
    assert (answer.code, answer.out) == (2, "")
    assert one_line(answer.err)
    assert "--since" in answer.err


def test_an_unknown_user_is_one_line_and_exit_2_and_changes_nothing(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    answer = respond("--user", "nobody@contoso.com", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert one_line(answer.err)
    assert "nobody@contoso.com" in answer.err
    assert tenant.get("/_lab/writes") == []


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("SigninLogs.jsonl", '{"NoSuchColumn": 1}', ["SigninLogs.jsonl:65", "NoSuchColumn"]),
        pytest.param(
            "SigninLogs.jsonl", '{"ResultType": 0}', ["SigninLogs.jsonl:65", "ResultType"], marks=pytest.mark.soak
        ),
        pytest.param("SigninLogs.jsonl", "{broken", ["SigninLogs.jsonl:65"], marks=pytest.mark.soak),
        pytest.param("NoSuchTable.jsonl", '{"Id": "1"}', ["NoSuchTable"], marks=pytest.mark.soak),
    ],
)
def test_a_broken_scenario_file_is_named(
    file: str, line: str, told: list[str], seed_variant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = seed_variant()
    with (story / file).open("a") as rows:
        rows.write(line + "\n")
    monkeypatch.setenv("RESPOND_LAB__DATA", str(story))
    answer = respond("--user", VICTIM)
    assert (answer.code, answer.out) == (2, "")
    assert one_line(answer.err)
    assert all(word in answer.err for word in told), answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["nonsense"],
        ["show"],
        ["show", "DC-NONE"],
        ["lab", "load", "nowhere"],
        ["hunt", "--since", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_2(arguments: list[str]) -> None:
    answer = respond(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert one_line(answer.err)


def test_the_page_tells_the_whole_story(lab: Callable[..., RunningLab]) -> None:
    lab()
    page = " ".join(respond("--user", VICTIM).out.split())
    for words in (
        "LAB tenant",
        "MALICIOUS 100",
        "185.220.101.47",
        "hxxps://voicemail-x7q[.]contoso-account[.]workers[.]dev",
        "gaps none",
        "cut-off moved to",
        "and read back",
        "LAB-1",
        "Contained and read back",
    ):
        assert words in page, words
    assert "https://" not in page
    assert "verified" not in page, "a look some time later says that"


def test_cases_and_show_tell_it_again_without_the_tenant(
    answered: Answered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answered(Way.CONTAINED)
    case = first.id
    monkeypatch.setenv("RESPOND_LAB__URL", "http://127.0.0.1:9")
    assert case in respond("cases").out
    assert respond("show", case.lower(), "--json").json == first.report
    assert respond("show", case, "--html", str(tmp_path / "page.html")).code == 0
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "185.220.101.47" in page


def test_the_published_hunt_runs_verbatim(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    rows = respond("hunt", "--published", "--json").json
    assert [row["IPAddress"] for row in rows] == ["185.220.101.47"]
    assert set(rows[0]) == {
        "TimeGenerated", "UserPrincipalName", "AuthenticationProtocol", "ResultSignature", "IPAddress", "Country",
        "AppDisplayName", "ResourceDisplayName", "IsCompliant", "IsManagedDevice", "RiskLevelDuringSignIn",
        "RiskLevelAggregated", "UserAgent",
    }  # fmt: skip
    assert "185.220.101.47" in respond("hunt", "--published").out
    assert tenant.get("/_lab/writes") == []


@pytest.mark.soak
def test_the_lab_can_be_served_for_other_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    process = spawn("lab", "serve", "--port", "0")
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]
    url = said[1].rpartition("=")[2].strip()
    monkeypatch.setenv("RESPOND_LAB__URL", url)
    assert respond("--user", VICTIM, "--dry-run", "--json").json["verdict"] == "malicious"
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.soak
@pytest.mark.usefixtures("starts_processes")
def test_what_lab_load_loaded_is_what_commands_see() -> None:
    assert respond("lab", "load", "obrien").code == 0
    assert respond("--user", "o'brien@contoso.com", "--json").json["verdict"] == "malicious"
    assert respond("lab", "reset").out == "the lab is as new; 1 case forgotten\n"
    assert respond("--user", "o'brien@contoso.com").code == 2


def test_a_command_without_a_lab_starts_its_own_which_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "obrien")
    answer = finish(spawn("--user", "o'brien@contoso.com", "--dry-run", "--json"))
    assert (answer.code, answer.json["verdict"]) == (3, "malicious")
    listeners = Path("/proc").glob("[0-9]*/cmdline")
    running = [file for file in listeners if _is_child_lab(file)]
    assert not running


def _is_child_lab(file: Path) -> bool:
    try:
        words = file.read_bytes().split(b"\0")
        environment = (file.parent / "environ").read_bytes()
    except OSError:
        return False
    return b"--child" in words and os.environ["RESPOND_STATE__URL"].encode() in environment


def test_every_command_has_help_that_the_readme_or_the_help_names() -> None:
    from click import Context, Group

    from respond.cli.main import cli

    def walk(group: Group, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = []
        for name, command in group.commands.items():
            found.append((*path, name))
            if isinstance(command, Group):
                found += walk(command, (*path, name))
        return found

    readme = (ROOT / "README.md").read_text()
    for words in walk(cli, ()):
        help_text = respond(*words, "--help")
        assert help_text.code == 0
        assert len(help_text.out.splitlines()) > 2
        assert f"respond {' '.join(words)}" in readme, words
    assert Context(cli).get_help()


def one_line(text: str) -> bool:
    return text.startswith("respond: ") and text.endswith("\n") and text.count("\n") == 1 and text[:-1].isprintable()
