"""Killed anywhere, the next `respond` finishes the run: one revoke, one ticket, the right end."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.command import VICTIM, finish, respond, revocations, spawn
from tests.helpers.forked_command import ForkedCommand, kill_at
from tests.helpers.forked_command import forks as _forks
from tests.helpers.patience import patiently
from tests.lab.running_lab import RunningLab

forks = _forks
CASE = "DC-5BTOTA"
EVENTS = ("started", "done")

READS = (
    "know_time",
    "know_user",
    "hunt_device_code_signins",
    "match_threat_intel",
    "find_usual_places",
    "find_lures",
    "find_address_use",
    "know_standing",
    "find_footholds",
    "find_token_use",
    "match_lure_intel",
    "find_earlier_cases",
    "find_devices",
    "count_users",
    "find_access",
    "find_recipients",
)
WRITES = ("open_case", "record_decision", "revoke_sessions", "open_ticket", "close_run")
# What a question has found is kept only when it is over, so to die at its end is to die at any moment of it. All of
# them are kept in one way: one in the middle speaks for the others. Of the writes, those that somebody
# outside can see: before and after.
SPEAKING = (
    "done:find_usual_places",
    "started:revoke_sessions",
    "done:revoke_sessions",
    "started:open_ticket",
    "done:open_ticket",
    "done:close_run",
)
ALL = ("started:know_user", *(f"done:{n}" for n in READS), *(f"{event}:{n}" for n in WRITES for event in EVENTS))
MOMENTS = [pytest.param(moment, marks=() if moment in SPEAKING else pytest.mark.soak) for moment in ALL]


def tickets(tmp_path: Path) -> int:
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        return int(db.execute("SELECT count(*) FROM respond_tickets").fetchone()[0])


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_anywhere_the_next_run_finishes(moment: str, lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab()
    kill_at(moment)
    answer = respond("--user", "nobody@contoso.com")
    assert f"finished an interrupted run: {CASE}, {VICTIM}: contained-verified" in answer.err
    assert answer.code == 2  # nobody is called that; what was finished is told all the same
    assert len(revocations(tenant)) == 1
    assert tickets(tmp_path) == 1
    (report,) = respond("cases", "--json").json
    assert (report["verdict"], report["score"], report["gaps"]) == ("malicious", 100, [])


def test_every_action_of_the_playbook_is_killed_once(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    lab()
    respond("--user", VICTIM)
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        steps = {name for (name,) in db.execute("SELECT function_name FROM operation_outputs")}
    assert {name for name in steps if not name.startswith("DBOS.")} == {*READS, *WRITES}


def test_killed_between_revoke_and_ticket_it_is_the_same_case(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab()
    kill_at("started:open_ticket")
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 0)
    answer = respond("--user", VICTIM, "--json")
    assert "finished an interrupted run" in answer.err
    assert answer.action("open_ticket")["status"] == "unneeded"
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 1)
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        assert db.execute("SELECT count(*) FROM respond_cases").fetchone() == (1,)


@pytest.mark.soak
def test_killed_between_the_revocation_and_the_last_evidence_it_ends_as_it_would_have(
    lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    tenant = lab(logs_latency="200ms", concurrent_queries=2)
    kill_at("done:revoke_sessions")
    asked = queries(tenant)
    assert len(revocations(tenant)) == 1
    assert f"{VICTIM}: contained-verified" in respond("--user", "nobody@contoso.com").err
    assert queries(tenant) > asked
    (report,) = respond("cases", "--json").json
    assert (report["verdict"], report["outcome"], report["gaps"]) == ("malicious", "contained-verified", [])
    assert {finding["id"] for finding in report["findings"]} >= {"threat-intel-address", "lure-clicked", "token-reads"}
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 1)


def queries(tenant: RunningLab) -> int:
    return sum(call["path"].endswith("/query") for call in tenant.get("/_lab/requests"))


@pytest.mark.soak
def test_a_run_about_somebody_else_finishes_it_too(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab("campaign")
    kill_at("started:open_ticket", "--user", "ruth.adeyemi@contoso.com")
    answer = respond("--user", "wei.zhang@contoso.com", "--json")
    assert answer.json["verdict"] == "benign"
    assert "ruth.adeyemi@contoso.com: contained-verified" in answer.err
    assert (len(revocations(tenant)), tickets(tmp_path)) == (1, 1)


def test_a_live_process_keeps_its_run(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    """A second process does not take over what the first one is still doing."""
    tenant = lab(logs_latency="400ms")
    commands = [ForkedCommand(tmp_path / name, "--user", VICTIM, "--json") for name in ("first", "second")]
    answers = [command.finish() for command in commands]
    assert [answer.code for answer in answers] == [0, 0], answers
    assert len(revocations(tenant)) == 1
    assert not any("interrupted" in answer.err for answer in answers)


@pytest.mark.soak
def test_a_dry_run_leaves_an_interrupted_live_run_alone(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    kill_at("started:revoke_sessions")
    dry = respond("--user", VICTIM, "--dry-run", "--json")
    assert (dry.code, dry.json["outcome"]) == (3, "planned")
    assert "1 interrupted live run waits" in dry.err
    assert revocations(tenant) == []
    assert respond("--user", VICTIM, "--json").json["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == 1


def test_a_run_of_the_lab_never_ends_in_another_tenant(
    lab: Callable[..., RunningLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same state database, another tenant: the run stays where it began."""
    tenant = lab()
    kill_at("started:revoke_sessions")
    monkeypatch.setenv("RESPOND_TENANT__MODE", "azure")
    monkeypatch.setenv("RESPOND_TENANT__TENANT_ID", "11111111-2222-4333-8444-555555555555")
    monkeypatch.setenv("RESPOND_TENANT__WORKSPACE_ID", "11111111-2222-4333-8444-666666666666")
    monkeypatch.setenv("RESPOND_TENANT__GRAPH_ENDPOINT", tenant.url)
    monkeypatch.setenv("RESPOND_TENANT__LOGS_ENDPOINT", tenant.url)
    monkeypatch.setenv("RESPOND_TENANT__CLIENT_ID", "x")
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "1")
    other = respond("--user", VICTIM, "--json")
    assert other.code == 1
    assert "interrupted" not in other.err
    assert revocations(tenant) == []


@pytest.mark.soak
def test_a_reset_lab_forgets_interrupted_runs(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    kill_at("started:revoke_sessions")
    assert respond("lab", "reset").code == 0
    answer = respond("--user", VICTIM, "--json")
    assert "interrupted" not in answer.err
    assert len(revocations(tenant)) == 1


@pytest.mark.soak
def test_an_interrupt_is_one_line_and_the_run_is_finished_by_the_next(lab: Callable[..., RunningLab]) -> None:
    tenant = lab(logs_latency="700ms")
    process = spawn("--user", VICTIM, "--json")
    wait_for(lambda: queries(tenant) > 0)
    process.send_signal(signal.SIGINT)
    cut = finish(process)
    assert (cut.code, cut.err) == (1, "respond: interrupted; the next `respond` finishes the run\n")
    assert f"{VICTIM}: contained-verified" in respond("--user", "nobody@contoso.com").err
    assert len(revocations(tenant)) == 1


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + patiently(20)
    while time.monotonic() < until:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class Bomb:
    """A pickle that runs code when it is read."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (os.mkdir, (str(self._marker),))


def test_a_pickled_value_in_the_state_file_is_never_read(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    """Whoever can write the state file must not be able to run code."""
    lab()
    kill_at("started:open_ticket")
    bomb = base64.b64encode(pickle.dumps(Bomb(tmp_path / "code-ran"))).decode()
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        db.execute("UPDATE workflow_status SET inputs = ?, serialization = 'py_pickle'", (bomb,))
        db.execute("UPDATE workflow_input SET inputs = ?", (bomb,))
        db.execute("UPDATE operation_outputs SET output = ?, serialization = 'py_pickle'", (bomb,))
        db.commit()
    answer = respond("--user", VICTIM, "--json")
    assert not (tmp_path / "code-ran").exists()
    assert "cannot be read from the state database" in answer.err
    assert answer.json["outcome"] == "contained-verified"
