"""Killed anywhere, the next `respond` finishes the run: one revoke, one ticket, the right end."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command import VICTIM, finish, respond, revocations, spawn
from tests.lab.running_lab import RunningLab

ACTIONS = (
    "know_user",
    "hunt_device_code_signins",
    "open_case",
    "find_lures",
    "find_usual_places",
    "match_threat_intel",
    "find_token_use",
    "find_footholds",
    "revoke_sessions",
    "open_ticket",
    "close_run",
)


def kill_at(moment: str, *arguments: str) -> None:
    died = finish(spawn(*(arguments or ("--user", VICTIM)), die_at=moment))
    assert died.code == -signal.SIGKILL, died


def tickets(tmp_path: Path) -> int:
    with sqlite3.connect(tmp_path / "state" / "respond.db") as db:
        return int(db.execute("SELECT count(*) FROM respond_tickets").fetchone()[0])


@pytest.mark.parametrize("event", ["started", "done"])
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_anywhere_the_next_run_finishes(
    event: str, action: str, lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    tenant = lab()
    kill_at(f"{event}:{action}")
    answer = respond("--user", VICTIM, "--json")
    assert answer.code == 0, answer
    assert answer.json["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == 1
    assert tickets(tmp_path) == 1


def test_killed_between_revoke_and_ticket_it_is_the_same_case(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab()
    kill_at("started:open_ticket")
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 0)
    answer = respond("--user", VICTIM, "--json")
    assert "finished an interrupted run" in answer.err
    assert answer.action("open_ticket")["status"] == "unneeded"
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 1)
    with sqlite3.connect(tmp_path / "state" / "respond.db") as db:
        assert db.execute("SELECT count(*) FROM respond_cases").fetchone() == (1,)


def test_a_run_about_somebody_else_finishes_it_too(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab("campaign")
    kill_at("started:open_ticket", "--user", "ruth.adeyemi@contoso.com")
    answer = respond("--user", "wei.zhang@contoso.com", "--json")
    assert answer.json["verdict"] == "benign"
    assert "ruth.adeyemi@contoso.com: contained-verified" in answer.err
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 1)


def test_a_live_process_keeps_its_run(lab: Callable[..., RunningLab]) -> None:
    """A second process does not take over what the first one is still doing."""
    tenant = lab(logs_latency="700ms")
    first = spawn("--user", VICTIM, "--json")
    second = spawn("--user", VICTIM, "--json")
    answers = [finish(first), finish(second)]
    assert [answer.code for answer in answers] == [0, 0], answers
    assert len(revocations(tenant)) == 1
    assert not any("interrupted" in answer.err for answer in answers)


def test_a_pickled_value_in_the_state_file_is_never_read(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    """Whoever can write the state file must not be able to run code."""
    lab()
    kill_at("started:open_ticket")
    marker = tmp_path / "code-ran"
    bomb = "Y3Bvc2l4CnN5c3RlbQoo"  # the start of any pickle is enough: it is refused unread
    with sqlite3.connect(tmp_path / "state" / "respond.db") as db:
        db.execute("UPDATE workflow_status SET inputs = ?, serialization = 'py_pickle'", (bomb,))
    answer = respond("--user", VICTIM, "--json")
    assert not marker.exists()
    assert answer.json["outcome"] == "contained-verified"
