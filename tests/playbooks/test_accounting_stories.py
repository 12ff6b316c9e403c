"""The account over the wire: what is left to a person is never green, and page, ticket and comment name it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.models.ladder import Rung
from respond.models.report import Report
from respond.settings import LabFault, shipped_config
from respond.telling import answer_text
from tests.fakes.webhooks import webhooks
from tests.helpers.command import VICTIM, Answer, respond
from tests.helpers.dug_in_story import (
    APPLICATION,
    ATTACKER,
    DUG_IN,
    METHOD,
    PHONE,
    USER_ID,
    deeper,
    dig_deeper,
    policy,
    write_story,
)
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]


def fates(answer: Answer) -> dict[str, str]:
    return {one["kind"]: one["fate"] for one in answer.json["persistence"]}


def office(operation: str, **more: Any) -> dict[str, Any]:
    return {
        "TimeGenerated": DUG_IN,
        "OfficeId": f"row of {operation}",
        "OfficeWorkload": "Exchange",
        "Operation": operation,
        "UserId": VICTIM,
        "ClientIP": ATTACKER,
        **more,
    }


FORWARDED = office(
    "Set-Mailbox", Parameters=json.dumps([{"Name": "ForwardingSmtpAddress", "Value": "smtp:x@mail.example"}])
)


def everything_said(answer: Answer, folder: Path) -> tuple[str, ...]:
    """The ticket, the page, and the comment on the incident, each in one line."""
    said = (
        (folder / "state" / "tickets" / "LAB-1.md").read_text(),
        respond("show", answer.json["case"]).out,
        answer_text(Report.model_validate(answer.json)),
    )
    return tuple(" ".join(text.split()) for text in said)


def test_an_open_task_is_not_verified_and_every_reader_is_told(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path, rows={"OfficeActivity": [FORWARDED]}))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (4, "contained-unverified")
    told = "forwarding of the whole mailbox"
    assert told in " ".join(answer.json["tasks"])
    assert all(told in reader for reader in everything_said(answer, tmp_path))
    again = respond("--user", VICTIM, "--json")
    assert (again.json["outcome"], again.json["repeat"]) == ("contained-unverified", False)


def test_an_audit_log_that_comes_too_late_is_never_green(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker has dug in, and no list shows it; the log would."""
    late = LabFault(match="POST *", contains="AuditLogs", kind="slow", delay=timedelta(seconds=5), times=0)
    lab(scenario.find("seed-true-positive"), faults=(late,))
    monkeypatch.setenv("RESPOND_EVIDENCE__LIMITS", json.dumps({"find_footholds": "2s"}))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (4, "contained-unverified")
    (gap,) = (one for one in answer.json["gaps"] if one["source"] == "AuditLogs")
    assert gap["could_weigh"] > 0
    for reader in everything_said(answer, tmp_path):
        assert "could not be looked for" in reader


def test_what_needs_a_yes_is_ended_when_somebody_says_so(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path, edit=dig_deeper, rows={"AuditLogs": deeper()}))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval"), answer.err
    assert set(fates(answer).values()) == {"action"}
    approved = respond("approve", answer.json["case"], "--as", "ann", "--json")
    assert (approved.code, approved.json["outcome"]) == (0, "contained-verified"), approved.err
    says = "; ".join(one["says"] for one in approved.json["persistence"])
    assert "remove_role done" in says
    assert "awaiting" not in says
    now = tenant.get("/_lab/directory")
    assert PHONE not in [one["id"] for one in now["devices"]]
    assert [one["passwordCredentials"] for one in now["applications"] if one["id"] == APPLICATION] == [[]]
    assert now["roleAssignments"] == []


def test_the_last_look_has_the_final_word_and_the_audit_log_is_a_second_proof(lab: Lab, tmp_path: Path) -> None:
    lab(scenario.find("seed-true-positive"))
    config = str(policy(tmp_path, watch=["1s"]))
    first = respond("--user", VICTIM, "--json", "--config", config)
    assert (first.json["outcome"], first.json["confirmed_at"]) == ("contained-verified", None)
    assert first.action("revoke_sessions")["summary"].endswith("and read back")
    assert first.action("revoke_sessions")["proof"] == []
    assert "verified" not in respond("show", first.json["case"]).out
    assert respond("watch", "--config", config).code == 0
    looked = json.loads(respond("show", first.json["case"], "--json").out)
    assert (looked["outcome"], bool(looked["confirmed_at"])) == ("contained-verified", True)
    (revoked,) = (one for one in looked["actions"] if one["name"] == "revoke_sessions")
    assert [row["table"] for row in revoked["proof"]] == ["AuditLogs"]
    assert "the audit log has it too" in revoked["summary"]
    assert "Contained and verified" in respond("show", first.json["case"]).out
    again = respond("--user", VICTIM, "--json", "--config", config)
    assert again.json["confirmed_at"] == looked["confirmed_at"]


def test_a_default_method_goes_when_the_others_are_gone(lab: Lab, tmp_path: Path) -> None:
    def edit(directory: dict[str, Any]) -> None:
        (added, _) = directory["authenticationMethods"][USER_ID]
        second = added | {"id": METHOD.replace("3179", "4179"), "displayName": "Pixel 7"}
        directory["authenticationMethods"][USER_ID] = [added | {"isDefault": True}, second]

    tenant = lab(write_story(tmp_path, edit=edit))
    answer = respond("--user", VICTIM, "--json")
    removed = [one["status"] for one in answer.json["actions"] if one["name"] == "remove_method"]
    assert removed == ["done", "done"], answer.json["actions"]
    assert tenant.get("/_lab/directory")["authenticationMethods"][USER_ID] == []


NEVER = dict.fromkeys((rung.value for rung in Rung), "never")


def allowing_nothing(what: str, folder: Path) -> str:
    """A configuration in which nothing may be done: to anybody, or to the one account of the last way in."""
    if what == "break-glass":
        config = policy(folder, kinds={"break_glass": "never"})
        shipped = (shipped_config() / "policy.toml").read_text()
        (config / "policy.toml").write_text(shipped.replace("break_glass = []", f'break_glass = ["{USER_ID}"]'))
        return str(config)
    return str(policy(folder, malicious=NEVER, suspicious=NEVER))


@pytest.mark.parametrize(
    ("what", "verdict"), [("all", "malicious"), ("break-glass", "malicious"), ("all", "suspicious")]
)
def test_whatever_the_plan_allows_there_is_a_ticket_and_a_notice(
    what: str, verdict: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sure = verdict == "malicious"
    tenant = lab(write_story(tmp_path) if is_sure else scenario.find("suspicious-first-time"))
    upn = VICTIM if is_sure else "helen.castro@contoso.com"
    with webhooks() as there:
        monkeypatch.setenv("RESPOND_NOTICES__TEAMS_URL", there.settings["teams_url"])
        answer = respond("--user", upn, "--json", "--config", allowing_nothing(what, tmp_path))
        assert len(there.posted["teams"]) == 1
    assert (answer.code, answer.json["verdict"], answer.json["outcome"]) == (1, verdict, "not-contained"), answer.err
    assert answer.action("open_ticket")["status"] == "done"
    assert answer.action("send_notice")["status"] == "done"
    assert set(fates(answer).values()) <= {"manual-task"}
    assert bool(fates(answer)) == is_sure
    assert tenant.get("/_lab/writes") == []
