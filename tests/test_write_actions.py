"""The contract of every action that writes. An action that is not in the table fails the first test."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import actions
from respond.settings import LabFault
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab


@dataclass(frozen=True)
class Subject:
    """How the lab sees a write action.

    Attributes:
        request: `METHOD */path` of its write; empty when it writes to the local store only.
        permission: what it needs beyond reading.
    """

    request: str = ""
    permission: str = ""


SUBJECTS = {
    "revoke_sessions": Subject("POST */revokeSignInSessions", "User.RevokeSessions.All"),
    "open_ticket": Subject(),
}
REMOTE = [pytest.param(name, subject, id=name) for name, subject in SUBJECTS.items() if subject.request]


def declared() -> dict[str, Any]:
    found = {}
    for module in pkgutil.iter_modules(actions.__path__):
        action = getattr(importlib.import_module(f"actions.{module.name}"), module.name)
        found[module.name] = action
    return found


def test_one_file_is_one_action_of_that_name() -> None:
    assert all(callable(action) and hasattr(action, "permissions") for action in declared().values())


def test_every_write_action_is_under_contract() -> None:
    assert {name for name, action in declared().items() if action.writes} == set(SUBJECTS)


@pytest.mark.parametrize("name", SUBJECTS)
def test_repeated_it_writes_once(name: str, lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    first, second = respond("--user", VICTIM, "--json"), respond("--user", VICTIM, "--json")
    assert first.action(name)["status"] == "done"
    assert second.action(name)["status"] == "unneeded"
    assert len(written(tenant, SUBJECTS[name])) == (1 if SUBJECTS[name].request else 0)


@pytest.mark.parametrize("name", SUBJECTS)
def test_in_a_dry_run_it_plans_and_writes_nothing(name: str, lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    answer = respond("--user", VICTIM, "--dry-run", "--json")
    assert answer.action(name)["status"] == "planned"
    assert bool(answer.action(name)["request"]) == bool(SUBJECTS[name].request)
    assert tenant.get("/_lab/writes") == []


@pytest.mark.parametrize(("name", "subject"), REMOTE)
def test_throttled_it_waits_as_told_and_succeeds(name: str, subject: Subject, lab: Callable[..., RunningLab]) -> None:
    tenant = lab(faults=(LabFault(match=subject.request, status=429, retry_after="2"),))
    answer = respond("--user", VICTIM, "--json")
    assert answer.action(name)["status"] == "done"
    times = answer.json["timings_ms"]
    assert times["contained"] - times["decided"] >= 2000
    assert len(written(tenant, subject)) == 1


@pytest.mark.parametrize(("name", "subject"), REMOTE)
def test_forbidden_it_names_the_permission(name: str, subject: Subject, lab: Callable[..., RunningLab]) -> None:
    tenant = lab(withheld_permissions=(subject.permission,))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert answer.action(name)["status"] == "failed"
    assert subject.permission in answer.action(name)["summary"]
    assert answer.action("open_ticket")["status"] == "done"
    assert written(tenant, subject) == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
@pytest.mark.parametrize(("name", "subject"), REMOTE)
def test_a_lost_answer_is_looked_into_and_not_repeated(
    kind: str, name: str, subject: Subject, lab: Callable[..., RunningLab]
) -> None:
    tenant = lab(faults=(LabFault(match=subject.request, kind=kind),))  # type: ignore[arg-type]  # a literal
    answer = respond("--user", VICTIM, "--json")
    assert answer.json["outcome"] == "contained-verified"
    assert answer.action(name)["verified"] is True
    assert len(written(tenant, subject)) == 1


def written(tenant: RunningLab, subject: Subject) -> list[dict[str, Any]]:
    """Writes that took effect, whether or not the answer arrived."""
    tail = subject.request.rpartition("/")[2]
    return [
        write for write in tenant.get("/_lab/writes") if tail and write["path"].endswith(tail) and write["status"] < 300
    ]
