"""What the lab remembers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from respond.errors import UsageError
from respond.lab.state import LabState, Loading

Story = Callable[..., Path]
USERS = {"users": [{"id": "u1", "userPrincipalName": "a@contoso.com", "createdDateTime": "2026-01-15T09:40:00Z"}]}


def age(state_dir: Path, by: timedelta) -> None:
    """Make the story look as if it was loaded earlier."""
    with closing(sqlite3.connect(state_dir / "lab.db")) as db:
        then = datetime.now(UTC).replace(microsecond=0) - by
        db.execute("UPDATE meta SET value = ? WHERE key = 'loaded_at'", (then.isoformat(),))
        db.commit()


def test_a_story_is_loaded_once_and_its_shift_stays(story: Story, tmp_path: Path) -> None:
    data = story(directory=USERS)
    first = LabState(tmp_path / "s").open(data)
    age(tmp_path / "s", timedelta(hours=3))
    second = LabState(tmp_path / "s").open(data)
    assert (first.how, second.how) == (Loading.FIRST, Loading.KEPT)
    assert abs(first.shift - second.shift - timedelta(hours=3)) < timedelta(seconds=3)


def test_a_story_loaded_yesterday_is_loaded_again(story: Story, tmp_path: Path) -> None:
    data = story(directory=USERS)
    state = LabState(tmp_path / "s")
    state.open(data)
    state.record_write("POST", "/x", 200, None)
    age(tmp_path / "s", timedelta(hours=12, minutes=1))
    assert state.open(data).how is Loading.EXPIRED
    assert state.writes() == []


def test_another_story_or_other_content_is_loaded(story: Story, tmp_path: Path) -> None:
    data = story(directory=USERS)
    state = LabState(tmp_path / "s")
    state.open(data)
    (data / "SigninLogs.jsonl").write_text('{"Id": "x"}')
    assert state.open(data).how is Loading.CHANGED
    moved = data.rename(tmp_path / "elsewhere")
    assert state.open(moved).how is Loading.OTHER
    assert state.load(moved).how is Loading.FORCED


def test_changes_last_until_the_reset(story: Story, tmp_path: Path) -> None:
    state = LabState(tmp_path / "s")
    data = story(directory=USERS)
    state.open(data)
    state.change("users", "U1", lambda user: user | {"accountEnabled": False})
    assert LabState(tmp_path / "s").by_name("users", "A@contoso.com")["accountEnabled"] is False
    assert state.change("users", "nobody", dict) is None
    state.reset()
    assert state.all("users") == []
    assert state.open(data).how is Loading.FIRST
    assert "accountEnabled" not in state.get("users", "u1")


def test_directory_times_are_moved(story: Story, tmp_path: Path) -> None:
    state = LabState(tmp_path / "s")
    loaded = state.open(story(directory=USERS))
    created = datetime.fromisoformat(state.get("users", "u1")["createdDateTime"])
    assert created == loaded.loaded_at


def test_a_bad_story_leaves_the_state_untouched(story: Story, tmp_path: Path) -> None:
    state = LabState(tmp_path / "s")
    data = story(directory=USERS)
    state.open(data)
    before = (state.mark(), state.directory())
    (data / "directory.json").write_text('{"users": [{}]}')
    for attempt in (state.open, state.load):
        with pytest.raises(UsageError):
            attempt(data)
    assert (state.mark(), state.directory()) == before


def test_a_state_directory_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"state"):
        LabState(tmp_path / "file")


def test_several_processes_may_load_at_once(story: Story, tmp_path: Path) -> None:
    data = story(directory=USERS)
    code = "import sys; from pathlib import Path; from respond.lab.state import LabState\n"
    code += "print(LabState(Path(sys.argv[1])).open(Path(sys.argv[2])).how.name)"
    command = [sys.executable, "-c", code, str(tmp_path / "s"), str(data)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = sorted(process.communicate(timeout=20)[0].strip() for process in started)
    assert said == ["FIRST", "KEPT", "KEPT"]
