"""`response.mode`: what is sent, what is asked and what is only shown, whatever the response plan says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from respond.settings import LabFault
from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import DEVICE, REVOKE, policy, write_story
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
answered = _answered
_TICKETS = ("open_ticket", "send_notice")


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the mode of the commands that follow."""

    def choose(name: str) -> None:
        monkeypatch.setenv("RESPOND_RESPONSE__MODE", name)

    return choose


def _steps(report: dict[str, object]) -> set[str]:
    actions = report["actions"]
    assert isinstance(actions, list)
    return {one["status"] for one in actions if one["name"] not in _TICKETS}


def test_observe_then_ask_then_auto_answers_one_case_again_each_time(
    lab: Lab, mode: Callable[[str], None], tmp_path: Path
) -> None:
    tenant = lab()
    mode("observe")
    observed = respond("--user", VICTIM, "--json")
    assert (observed.code, observed.json["outcome"], observed.json["response_mode"]) == (3, "planned", "observe")
    assert _steps(observed.json) == {"planned"}
    assert observed.action("revoke_sessions")["request"]["method"] == "POST"
    assert observed.json["ticket"]
    ticket = next((tmp_path / "state" / "tickets").glob("*.md"))
    assert "response mode observe" in ticket.read_text()
    assert "Not sent: response mode observe" in ticket.read_text()
    case = observed.json["case"]
    for order in (("approve", case), ("apply", case)):
        refused = respond(*order)
        assert (refused.code, refused.out) == (2, "")
        assert f'{order[0]}: response.mode is "observe"' in refused.err
    assert tenant.get("/_lab/writes") == []

    mode("ask")
    asked = respond("--user", VICTIM, "--json")
    assert (asked.code, asked.json["outcome"], asked.json["case"]) == (3, "awaiting-approval", case)
    assert _steps(asked.json) == {"awaiting-approval"}
    assert tenant.get("/_lab/writes") == []
    assert "· mode ask" in respond("show", case).out

    mode("auto")
    done = respond("--user", VICTIM, "--json")
    assert (done.code, done.json["outcome"], done.json["case"]) == (0, "contained-verified", case)
    assert len(tenant.get("/_lab/writes")) == 1


def test_a_person_approves_what_ask_mode_holds_back(lab: Lab, mode: Callable[[str], None]) -> None:
    tenant = lab()
    mode("ask")
    case = respond("--user", VICTIM, "--json").json["case"]
    approved = respond("approve", case, "--as", "ann", "--json")
    assert (approved.code, approved.json["outcome"]) == (0, "contained-verified"), approved.err
    assert approved.json["response_mode"] == "ask"
    assert len(tenant.get("/_lab/writes")) == 1


@pytest.mark.soak
def test_every_action_of_a_case_is_planned_in_observe_mode_and_asked_about_in_ask_mode(
    answered: Answered, mode: Callable[[str], None]
) -> None:
    tenant = answered(Way.PLANNED).tenant
    for name, status, outcome in (("observe", "planned", "planned"), ("ask", "awaiting-approval", "awaiting-approval")):
        mode(name)
        answer = respond("--user", VICTIM, "--json")
        assert (answer.code, answer.json["outcome"], _steps(answer.json)) == (3, outcome, {status})
    assert tenant.get("/_lab/writes") == []


def test_observe_mode_takes_nothing_back_and_says_what_an_undo_would_do(
    answered: Answered, mode: Callable[[str], None]
) -> None:
    before = answered(Way.CONTAINED)
    writes = before.tenant.get("/_lab/writes")
    mode("observe")
    refused = respond("undo", before.id)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert 'undo: response.mode is "observe"' in refused.err
    assert respond("undo", before.id, "--dry-run").code == 3
    assert before.tenant.get("/_lab/writes") == writes


@pytest.mark.parametrize(
    ("name", "status"), [("observe", "planned"), pytest.param("ask", "awaiting-approval", marks=pytest.mark.soak)]
)
def test_what_was_put_off_in_auto_mode_is_held_to_the_mode_of_the_process_that_takes_it_up(
    name: str, status: str, lab: Lab, mode: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_RETRY__WRITE_BUDGET", "1s")
    tenant = lab(faults=(LabFault(match=REVOKE, status=429, retry_after="2"),))
    config = str(policy(tmp_path, watch=[]))
    first = respond("--user", VICTIM, "--json", "--config", config)
    assert first.action("revoke_sessions")["again"]
    writes = tenant.get("/_lab/writes")
    mode(name)
    respond("watch", "--config", config)
    again = respond("show", first.json["case"], "--json")
    assert again.action("revoke_sessions")["status"] == status
    assert again.json["response_mode"] == name
    assert tenant.get("/_lab/writes") == writes


@pytest.mark.parametrize(
    ("name", "outcome"), [("observe", "planned"), pytest.param("ask", "awaiting-approval", marks=pytest.mark.soak)]
)
def test_a_recheck_that_finds_the_attacker_again_is_held_to_the_mode(
    name: str, outcome: str, lab: Lab, mode: Callable[[str], None], tmp_path: Path
) -> None:
    tenant = lab(write_story(tmp_path))
    config = str(policy(tmp_path, watch=["1s"]))
    mode("auto")
    case = respond("--user", VICTIM, "--json", "--config", config).json["case"]
    tenant.request("PATCH", f"/v1.0/devices/{DEVICE}", body={"accountEnabled": True})
    writes = tenant.get("/_lab/writes")
    mode(name)
    watched = respond("watch", "--config", config)
    assert outcome in watched.out, watched
    assert respond("show", case, "--json").action("disable_device")["status"] == outcome
    assert tenant.get("/_lab/writes") == writes


def test_a_dry_run_of_what_must_be_approved_names_the_command_that_asks(lab: Lab, mode: Callable[[str], None]) -> None:
    lab()
    mode("ask")
    asks = f"respond --user {VICTIM}"
    planned = respond("--user", VICTIM, "--dry-run")
    assert planned.code == 3
    assert f"Dry run: nothing was changed. {asks}" in " ".join(planned.out.split())
    case = respond("cases", "--json").json[0]["case"]
    applied = respond("apply", case)
    assert (applied.code, applied.out, applied.err.count("\n")) == (2, "", 1)
    assert (
        f"changes nothing in the tenant; its containment actions need an approval, which {asks} asks for" in applied.err
    )
