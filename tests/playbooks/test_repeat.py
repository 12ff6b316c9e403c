"""One need, one revoke, one ticket: however often and however many ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.forked_command import ForkedCommand
from tests.helpers.forked_command import forks as _forks
from tests.lab.running_lab import RunningLab

answered = _answered
forks = _forks


def test_contains_once_however_often_it_runs(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    first, second = (respond("--user", VICTIM, "--json") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert first.action("revoke_sessions")["status"] == "done"
    assert {action["status"] for action in second.json["actions"]} == {"unneeded"}
    assert second.json["repeat"]
    assert first.json["case"] == second.json["case"]
    assert first.json["ticket"] == second.json["ticket"]
    assert len(revocations(tenant)) == 1


def test_the_second_page_says_that_nothing_was_left_to_do(answered: Answered) -> None:
    answered(Way.CONTAINED)
    second = respond("--user", VICTIM)
    assert "nothing was left to do" in " ".join(second.out.split())
    assert second.code == 0


def test_the_object_id_meets_the_case_of_the_upn(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    by_id = respond("--user", contained.report["user"]["id"].upper(), "--json")
    assert by_id.json["case"] == contained.id
    assert by_id.json["repeat"]
    assert len(revocations(contained.tenant)) == 1


@pytest.mark.soak
def test_letters_of_either_case_are_the_same_name(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    assert respond("--user", "TARGET.user@contoso.com", "--json").json["case"] == contained.id


@pytest.mark.soak
def test_four_at_once_meet_in_one_case(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab(graph_latency="150ms")
    commands = [ForkedCommand(tmp_path / str(number), "--user", VICTIM, "--json") for number in range(4)]
    answers = [command.finish() for command in commands]
    assert [answer.code for answer in answers] == [0, 0, 0, 0], answers
    assert len({answer.json["case"] for answer in answers}) == 1
    assert len(revocations(tenant)) == 1
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        assert db.execute("SELECT count(*) FROM respond_tickets").fetchone() == (1,)


@pytest.mark.parametrize(
    ("cut_off", "status", "sent"),
    [
        pytest.param("2026-01-15T09:26:00Z", "done", 1, id="the attacker refreshed after it", marks=pytest.mark.soak),
        pytest.param("2026-01-15T09:30:00Z", "unneeded", 0, id="nothing was issued after it"),
    ],
)
def test_a_token_issued_after_the_cut_off_is_a_new_need(
    cut_off: str, status: str, sent: int, lab: Callable[..., RunningLab], seed_variant: Callable[..., Path]
) -> None:
    def move(directory: dict[str, Any]) -> None:
        directory["users"][0]["signInSessionsValidFromDateTime"] = cut_off

    tenant = lab(seed_variant(directory=move))
    answer = respond("--user", VICTIM, "--json")
    assert answer.action("revoke_sessions")["status"] == status
    assert answer.json["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == sent
