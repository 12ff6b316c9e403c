"""A story too large for the memory is told like any other: the same rows, the same mistakes, one load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.errors import UsageError
from respond.lab import loading, row_file, scenario
from respond.lab.state import LabState, Loading
from tests.lab.running_lab import RunningLab

Story = Callable[..., Path]
Start = Callable[..., RunningLab]

pytestmark = pytest.mark.usefixtures("starts_processes")  # the rows of a large story are read by several

PADDING = "x" * 100_000
COUNT = 420
ODD: list[dict[str, Any]] = [
    {"TimeGenerated": "2026-01-15T09:00:00.123456789Z", "Id": "é", "DurationMs": 5, "DeviceDetail": "text"},
    {"TimeGenerated": "9999-12-31T23:59:59Z", "DeviceDetail": {"a": [1, 2.5, "2026-01-15T09:00:00Z", {"b": None}]}},
    {"Id": "2026-01-15T09:00:00Z", "AuthenticationDetails": '{"x": "2026-01-15T09:00:00.1Z", "y":  1}'},
    {"Id": '"2026-01-15T09:00:00Z"', "UserAgent": '\U0001f600 \\ " \n \t', "IsRisky": None},
    {},
]
CLICK = {"TimeGenerated": "2026-01-15T09:30:00Z", "Url": "https://example.com"}


def rows(first: int = 0) -> list[dict[str, Any]]:
    numbered = [{"Id": str(number), "UserAgent": PADDING} for number in range(first, first + COUNT)]
    return [{"TimeGenerated": "2026-01-15T09:30:00Z", **row} for row in numbered]


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("lab.db"))


def everything(data: Path, folder: Path, form: str) -> dict[str, list[Any]]:
    con = loading.connect(scenario.read(data), timedelta(days=3, seconds=7), folder, form)
    names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    return {name: con.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}  # noqa: S608


@pytest.mark.parametrize("form", ["workspace", "hunting"])
def test_the_tables_are_the_same_in_a_file_as_in_memory(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    mail = {"TimeGenerated": "2026-01-15T09:00:00.1234567Z", "To": ["a"], "EmailSize": 5, "AdditionalFields": {"a": 1}}
    data = story(SigninLogs=[*ODD, *ODD], EmailEvents=[mail], scenario={"absent_tables": ["AuditLogs"]})
    in_memory = everything(data, tmp_path, form)
    monkeypatch.setattr(loading, "LARGE", 0)
    in_file = everything(data, tmp_path, form)
    assert in_file == in_memory
    assert (len(in_file["EmailEvents"]), "AuditLogs" in in_file) == (1, False)


async def test_a_large_story_is_served(start: Start, story: Story, tmp_path: Path) -> None:
    lab = start(story(SigninLogs=[*rows(), *ODD], UrlClickEvents=[CLICK]))
    found = (
        await lab.query("SigninLogs | summarize count(), countif(TimeGenerated < now()), max(strlen(UserAgent))")
    ).tables[0]
    assert list(found.rows[0]) == [COUNT + len(ODD), COUNT + 1, len(PADDING)]
    (newest,) = (await lab.query("SigninLogs | where Id == '7' | project TimeGenerated")).tables[0].rows
    assert timedelta(minutes=9) < datetime.now(UTC) - newest[0] < timedelta(minutes=12)
    order = (await lab.query("SigninLogs | project Id", timespan=timedelta(hours=1))).tables[0].rows
    assert [row[0] for row in order[:COUNT]] == [str(number) for number in range(COUNT)]
    hunted = lab.request("POST", "/v1.0/security/runHuntingQuery", body={"Query": "UrlClickEvents | project Url"})
    assert hunted.json()["results"] == [{"Url": "https://example.com"}]
    assert [path.suffix for path in kept(tmp_path / "state")] == [".duckdb", ".duckdb"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"Idd": "x"}', "column 'Idd' is not in table SigninLogs"),
        ('{"Id": 5}', "column Id (string) must be a JSON string, not 5"),
        ('{"DeviceDetail": NaN}', "not JSON"),
        ("[1]", "each line is one JSON object"),
    ],
)
def test_the_first_mistake_is_named_and_nothing_is_left(story: Story, tmp_path: Path, line: str, words: str) -> None:
    state = LabState(tmp_path / "s")
    state.open(story(SigninLogs=[{"Id": "x"}]))
    before = (state.mark(), kept(tmp_path / "s"))
    lines = [json.dumps(row) for row in rows()]
    lines[399], lines[410] = line, '{"Id": false}'
    with pytest.raises(UsageError) as caught:
        state.open(story(SigninLogs="\n".join(lines)))
    assert f"SigninLogs.jsonl:400: {words}" in caught.value.message
    assert (state.mark(), kept(tmp_path / "s")) == before


def test_tables_that_the_workspace_lacks_are_checked_too(story: Story, tmp_path: Path) -> None:
    data = story(SigninLogs=rows(), EntraIdSignInEvents=[{}, {"ErrorCode": "0"}])
    with pytest.raises(UsageError, match=r"EntraIdSignInEvents\.jsonl:2: column ErrorCode \(int\)"):
        LabState(tmp_path / "s").load(data)


def test_the_tables_are_built_once_for_each_load(story: Story, tmp_path: Path) -> None:
    state, folder = LabState(tmp_path / "s"), tmp_path / "s"
    data = story(SigninLogs=rows())
    assert state.open(data).how is Loading.FIRST
    (first,) = kept(folder)
    built = first.stat().st_mtime_ns
    assert state.open(data).how is Loading.KEPT
    assert [path.stat().st_mtime_ns for path in kept(folder)] == [built]
    (data / "SigninLogs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(1)))
    assert state.open(data).how is Loading.CHANGED
    (second,) = kept(folder)
    assert second != first
    state.reset()
    assert kept(folder) == []


def test_what_a_killed_lab_left_is_removed_by_the_next(story: Story, tmp_path: Path) -> None:
    state = LabState(tmp_path / "s")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (tmp_path / "s" / f"scratch-00-{process}").mkdir()
    state.open(story(SigninLogs=[{}]))
    assert [path.name for path in kept(tmp_path / "s")] == [f"scratch-00-{os.getpid()}"]


@pytest.mark.soak
def test_tables_that_were_removed_are_built_again(story: Story, tmp_path: Path) -> None:
    loaded = LabState(tmp_path).open(story(SigninLogs=rows()))
    row_file.sweep(tmp_path)
    con = loading.connect(loaded.story, loaded.shift, tmp_path, "workspace")
    assert con.execute('SELECT count(*) FROM "SigninLogs"').fetchone() == (COUNT,)


@pytest.mark.soak
def test_several_processes_may_load_a_large_story_at_once(story: Story, tmp_path: Path) -> None:
    data = story(SigninLogs=rows())
    code = "import sys; from pathlib import Path; from respond.lab.state import LabState\n"
    code += "print(LabState(Path(sys.argv[1])).open(Path(sys.argv[2])).how.name)"
    command = [sys.executable, "-c", code, str(tmp_path / "s"), str(data)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate(timeout=60)[0].strip() for process in started) == ["FIRST", "KEPT"]
    assert len(kept(tmp_path / "s")) == 1


@pytest.mark.soak
def test_an_answer_longer_than_the_memory_should_hold_arrives_whole(seed_lab: RunningLab) -> None:
    path = "/v1/workspaces/1ab00000-0000-4000-8000-000000000001/query"
    query = "range x from 1 to 300000 step 1 | extend s = strcat('number ', x, ' of many, with some text to it')"
    answer = seed_lab.request("POST", path, body={"query": query})
    found = answer.json()["tables"][0]["rows"]
    assert len(answer.content) > 16_000_000
    assert [row[0] for row in found] == list(range(1, 300_001))
    assert "error" not in answer.json()
