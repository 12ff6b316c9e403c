"""People decide: plans that are carried out exactly or not at all, answers that win once, undo, freeze and limits."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from respond.models.approvals import Answer
from respond.models.ladder import NOBODY
from respond.settings import LabFault, shipped_config
from respond.store.cases import Store
from tests.helpers.answered_cases import ASKING, Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, finish, respond, revocations, spawn
from tests.helpers.dug_in_story import (
    CLIENT,
    DEVICE,
    GRANT,
    METHOD,
    RESOURCE,
    REVOKE,
    RULE,
    SESSION,
    USER_ID,
    from_now,
    policy,
    refreshed,
    write_story,
)
from tests.helpers.forked_command import forks as _forks
from tests.helpers.forked_command import kill_at
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
answered = _answered
forks = _forks


def directory(tenant: RunningLab) -> dict[str, Any]:
    """The directory as it now is, without what no undo can bring back."""
    now: dict[str, Any] = tenant.get("/_lab/directory")
    for user in now["users"]:
        user.pop("signInSessionsValidFromDateTime", None)
    return now


def enabled(tenant: RunningLab) -> bool:
    """Whether the attacker's device is."""
    return next(bool(one["accountEnabled"]) for one in directory(tenant)["devices"] if one["id"] == DEVICE)


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["status"] for one in report["actions"] if one["name"] != "open_ticket"}


def audited(case: str) -> list[dict[str, Any]]:
    assert respond("audit", "verify").code == 0
    return [json.loads(line) for line in respond("audit", "export", "--case", case).out.splitlines()]


# Review


def test_a_plan_is_carried_out_exactly(answered: Answered) -> None:
    plan = answered(Way.PLANNED)
    shown = respond("show", plan.id, "--json").json["actions"]
    applied = respond("apply", plan.id, "--as", "ann", "--json")
    assert (applied.code, applied.json["outcome"]) == (0, "contained-verified"), applied.err
    planned = [one["request"] for one in plan.report["actions"] if one["name"] != "open_ticket"]
    assert planned == [one["request"] for one in shown if one["name"] != "open_ticket"]
    told = [(one["method"], unquote("/v1.0/" + one["url"].split("/v1.0/")[1]), one["body"] or None) for one in planned]
    written = plan.tenant.get("/_lab/writes")
    assert told == [
        (write["method"], write["path"], json.loads(write["body"]) if write["body"] else None) for write in written
    ]
    assert REVOKE.rsplit("/", 1)[-1] in written[1]["path"]
    assert {one["by"] for one in applied.json["actions"] if one["name"] != "open_ticket"} == {"ann"}
    assert applied.action("open_ticket")["status"] == "done"
    assert {entry["actor"] for entry in audited(plan.id) if entry["kind"] == "change"} == {"ann"}


@pytest.mark.soak
def test_applied_twice_nothing_is_left_to_do(answered: Answered) -> None:
    before = answered(Way.PLANNED)
    case, tenant = before.id, before.tenant
    respond("apply", case)
    writes = tenant.get("/_lab/writes")
    again = respond("apply", case, "--json")
    assert set(statuses(again.json).values()) == {"unneeded"}
    assert again.code == 0
    assert tenant.get("/_lab/writes") == writes


@pytest.mark.soak
def test_a_plan_whose_world_has_changed_is_refused_as_a_whole_and_says_what_moved(answered: Answered) -> None:
    before = answered(Way.PLANNED)
    case, tenant = before.id, before.tenant
    # The user consents to something else instead: in Entra that has the same id.
    tenant.request("DELETE", f"/v1.0/oauth2PermissionGrants/{GRANT}")
    body = {"clientId": CLIENT, "consentType": "Principal", "principalId": USER_ID, "resourceId": RESOURCE}
    made = tenant.request("POST", "/v1.0/oauth2PermissionGrants", body=body | {"scope": "Mail.Send"})
    assert (made.status_code, made.json()["id"]) == (201, GRANT)
    before = tenant.get("/_lab/writes")
    refused = respond("apply", case, "--json")
    assert refused.code == 1
    assert "remove_grant" in refused.err
    assert "Mail.Send" in refused.err
    assert refused.err.count("\n") == 1
    assert set(statuses(refused.json).values()) == {"refused"}
    assert tenant.get("/_lab/writes") == before
    again = respond("--user", VICTIM, "--dry-run", "--json").json["case"]
    assert respond("apply", again, "--json").json["outcome"] == "contained-verified"


@pytest.mark.soak
def test_a_rule_that_was_switched_off_and_a_device_that_is_gone(answered: Answered) -> None:
    """What is as the plan wants it has not moved; what is not there any more has."""
    before = answered(Way.PLANNED)
    case, tenant = before.id, before.tenant
    path = f"/v1.0/users/{USER_ID}/mailFolders/inbox/messageRules/{RULE.replace('=', '%3D')}"
    assert tenant.request("PATCH", path, body={"isEnabled": False}).status_code == 200
    applied = respond("apply", case, "--json")
    assert applied.action("disable_rule")["status"] == "unneeded"
    assert applied.json["outcome"] == "contained-verified"


@pytest.mark.soak
def test_a_plan_about_something_that_is_gone_is_refused(answered: Answered) -> None:
    gone = LabFault(match=f"GET */devices/{DEVICE}", status=404, times=0)
    plan = answered(Way.PLANNED, faults=(gone,))
    refused = respond("apply", plan.id, "--json")
    assert refused.code == 1
    assert "disable_device DESKTOP-EVIL" in refused.err
    assert revocations(plan.tenant) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("apply", "DC-NOBODY"), "there is no case DC-NOBODY"),
        pytest.param(("approve", "DC-NOBODY"), "there is no case DC-NOBODY", marks=pytest.mark.soak),
        pytest.param(("deny", "DC-NOBODY"), "there is no case DC-NOBODY", marks=pytest.mark.soak),
        (("undo", "DC-NOBODY"), "there is no case DC-NOBODY"),
    ],
)
def test_a_case_that_does_not_exist_is_one_line(command: tuple[str, ...], words: str, lab: Lab) -> None:
    lab()
    answer = respond(*command)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert words in answer.err


def test_a_case_without_a_plan_or_a_question_says_so(answered: Answered) -> None:
    before = answered(Way.CONTAINED)
    case = before.id
    assert "has no plan" in respond("apply", case).err
    assert "nothing of" in respond("approve", case).err
    assert respond("deny", case).code == 2


# Approval


def test_what_asks_is_done_when_a_person_says_yes(answered: Answered, tmp_path: Path) -> None:
    asked = answered(Way.ASKED)
    case, tenant = asked.id, asked.tenant
    config = ("--config", str(policy(tmp_path, malicious=ASKING)))
    assert asked.report["outcome"] == "awaiting-approval"
    assert tenant.get("/_lab/writes") == []
    some = respond("approve", case, "--action", "revoke_sessions", "--as", "ann", "--json", *config)
    assert (some.code, some.json["outcome"]) == (3, "awaiting-approval")
    assert len(tenant.get("/_lab/writes")) == 1
    rest = respond("approve", case, "--as", "bob", "--json", *config)
    assert (rest.code, rest.json["outcome"]) == (0, "contained-verified"), rest.err
    assert len(revocations(tenant)) == 1
    answers = [(entry["actor"], entry["kind"]) for entry in audited(case) if entry["kind"] == "approval"]
    assert answers.count(("ann", "approval")) == 1
    assert answers.count(("bob", "approval")) == 4


def test_a_denial_holds_until_somebody_approves(answered: Answered, tmp_path: Path) -> None:
    before = answered(Way.ASKED)
    case, tenant = before.id, before.tenant
    config = ("--config", str(policy(tmp_path, malicious=ASKING)))
    denied = respond("deny", case, "--because", "it was a drill", "--as", "ann", "--json", *config)
    assert (denied.code, denied.json["outcome"]) == (0, "not-contained")
    assert "denied by ann: it was a drill" in denied.action("revoke_sessions")["summary"]
    late = respond("approve", case, "--as", "bob", *config)
    assert late.code == 1
    assert "denied by ann" in late.err
    again = respond("--user", VICTIM, "--json", *config)
    assert (again.code, again.json["outcome"]) == (1, "not-contained")
    assert tenant.get("/_lab/writes") == []


@pytest.mark.soak
def test_what_was_denied_is_not_done_when_the_rest_is_approved(answered: Answered, tmp_path: Path) -> None:
    before = answered(Way.ASKED)
    case, tenant = before.id, before.tenant
    config = ("--config", str(policy(tmp_path, malicious=ASKING)))
    respond("deny", case, "--action", "disable_device", "--as", "ann", *config)
    rest = respond("approve", case, "--as", "bob", "--json", *config)
    assert (rest.code, rest.json["outcome"]) == (1, "not-contained")
    assert statuses(rest.json)["disable_device"] == "refused"
    assert statuses(rest.json)["revoke_sessions"] == "done"
    assert not any(write["path"].endswith(DEVICE) for write in tenant.get("/_lab/writes"))


@pytest.mark.soak
def test_a_yes_proves_nothing_about_what_could_not_be_looked_for(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path), faults=(LabFault(match="GET */registeredDevices", status=403, times=0),))
    config = ("--config", str(policy(tmp_path, malicious={"disable_rule": "ask"})))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    approved = respond("approve", case, "--json", *config)
    assert approved.action("disable_rule")["status"] == "done"
    assert (approved.code, approved.json["outcome"]) == (4, "contained-unverified")


@pytest.mark.soak
def test_a_denial_of_a_suspicion_does_not_hold_when_it_turns_out_to_be_an_attack(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path))
    doubtful = policy(tmp_path)
    before, weights, after = re.split(
        r"(?=\[weights\])|(?=\[reliefs\])", (shipped_config() / "policy.toml").read_text()
    )
    (doubtful / "policy.toml").write_text(before + re.sub(r"= \d+$", "= 3", weights, flags=re.MULTILINE) + after)
    asked = respond("--user", VICTIM, "--json", "--config", str(doubtful))
    assert (asked.json["verdict"], asked.json["outcome"]) == ("suspicious", "awaiting-approval")
    respond("deny", asked.json["case"], "--config", str(doubtful))
    held = respond("--user", VICTIM, "--json", "--config", str(doubtful))
    assert held.action("revoke_sessions")["status"] == "refused"
    assert tenant.get("/_lab/writes") == []
    certain = respond("--user", VICTIM, "--json")
    assert certain.action("revoke_sessions")["status"] == "done"


@pytest.mark.soak
def test_a_denial_of_what_a_limit_holds_is_not_forgotten_when_there_is_room_again(lab: Lab, tmp_path: Path) -> None:
    tenant = lab("second-wave")
    first, second = malicious("second-wave")
    config = ("--config", str(policy(tmp_path, limits={"per_hour": 1})))
    respond("--user", first, *config)
    case = respond("--user", second, "--json", *config).json["case"]
    respond("deny", case, "--as", "ann", *config)
    later = respond("--user", second, "--json")
    assert later.action("revoke_sessions")["status"] == "refused"
    assert "denied by ann" in later.action("revoke_sessions")["summary"]
    assert len(revocations(tenant)) == 1


@pytest.mark.soak
def test_the_first_of_two_answers_wins(answered: Answered, tmp_path: Path) -> None:
    before = answered(Way.ASKED)
    case, tenant = before.id, before.tenant
    config = ("--config", str(policy(tmp_path, malicious=ASKING)))
    yes, no = spawn("approve", case, "--as", "ann", *config), spawn("deny", case, "--as", "bob", *config)
    codes = {finish(yes).code, finish(no).code}
    assert 1 in codes
    answers = {(entry["actor"], entry["kind"]) for entry in audited(case) if entry["kind"] in ("approval", "denial")}
    assert len(answers) == 1
    assert bool(tenant.get("/_lab/writes")) == (("ann", "approval") in answers)


def test_approved_and_killed_it_is_carried_out_by_the_next_command(answered: Answered, tmp_path: Path) -> None:
    before = answered(Way.ASKED)
    case, tenant = before.id, before.tenant
    config = ("--config", str(policy(tmp_path, malicious=ASKING)))
    kill_at("done:disable_device", "approve", case, *config)
    assert respond("--user", "nobody@contoso.com", *config).err.count("finished an interrupted run") == 1
    report = respond("show", case, "--json").json
    assert report["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("deny", "not-contained"),
        pytest.param("approve", "contained-verified", marks=pytest.mark.soak),
    ],
)
def test_nobody_answers(answer: str, outcome: str, lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path))
    ladder = {"malicious": ASKING, "approval": {"timeout": "1s", "on_timeout": answer}, "watch": []}
    config = ("--config", str(policy(tmp_path, **ladder)))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    time.sleep(1.1)
    assert respond("watch", "--once", *config).code == (0 if answer == "approve" else 3)
    report = respond("show", case, "--json").json
    assert report["outcome"] == outcome
    ticket = (tmp_path / "state" / "tickets" / "LAB-1.md").read_text()
    assert (("nobody answered in time" in ticket) or answer == "approve") is True
    assert any(entry["actor"] == "nobody" for entry in audited(case))


def asked_and_timed_out(lab: Lab, tmp_path: Path) -> tuple[str, RunningLab, tuple[str, ...]]:
    """A case whose questions nobody has answered in time, where the response plan takes that for a yes."""
    tenant = lab(write_story(tmp_path))
    ladder = {"malicious": ASKING, "approval": {"timeout": "1s", "on_timeout": "approve"}, "watch": []}
    config = ("--config", str(policy(tmp_path, **ladder)))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    time.sleep(1.1)
    return case, tenant, config


def test_questions_that_time_out_while_another_run_has_the_case_wait_for_its_end(lab: Lab, tmp_path: Path) -> None:
    case, tenant, config = asked_and_timed_out(lab, tmp_path)
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db, db:
        db.execute("INSERT INTO workflow_status (workflow_uuid, status) VALUES ('other', 'PENDING')")
        db.execute("UPDATE respond_cases SET busy_run = 'other'")
    respond("watch", "--once", *config)
    assert respond("show", case, "--json").json["outcome"] == "awaiting-approval"
    assert not [entry for entry in audited(case) if entry["actor"] == "nobody"]
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db, db:
        db.execute("UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = 'other'")
    for _ in range(2):
        respond("watch", "--once", *config)
    assert respond("show", case, "--json").json["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == 1


@pytest.mark.soak
def test_what_nobody_answered_is_carried_out_once_also_when_the_process_died_in_between(
    lab: Lab, tmp_path: Path
) -> None:
    case, tenant, config = asked_and_timed_out(lab, tmp_path)
    with closing(Store(f"sqlite:///{tmp_path / 'state' / 'respond.db'}")) as store:
        store.approvals.answer(case, names=None, answer=Answer.APPROVED, by=NOBODY, at=datetime.now(UTC))
    for _ in range(2):
        respond("watch", "--once", *config)
        assert respond("show", case, "--json").json["outcome"] == "contained-verified"
    assert len(revocations(tenant)) == 1


# Undo


def test_undo_leaves_the_directory_as_it_was(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path))
    before = directory(tenant)
    config = ("--config", str(policy(tmp_path, malicious={"disable_account": "auto"})))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    assert directory(tenant) != before
    writes = len(tenant.get("/_lab/writes"))
    planned = respond("undo", case, "--dry-run", "--json", *config)
    assert planned.code == 3
    assert len(tenant.get("/_lab/writes")) == writes
    undone = respond("undo", case, "--as", "ann", "--json", *config)
    assert undone.code == 0, undone.err
    said = {one["step"]["rung"]: one["status"] for one in undone.json["actions"] if one["step"]}
    assert said == {
        **dict.fromkeys(("disable_device", "remove_grant", "disable_rule", "disable_account"), "done"),
        **dict.fromkeys(("revoke_sessions", "remove_method"), "refused"),
    }
    now = directory(tenant)
    lost = before["authenticationMethods"][USER_ID]
    before["authenticationMethods"][USER_ID] = [one for one in lost if one["id"] != METHOD]
    assert now == before
    kinds = [entry["kind"] for entry in audited(case)]
    assert kinds.count("undo") == 4


@pytest.mark.soak
def test_undone_twice_nothing_is_left_and_it_is_not_done_again_unasked(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    case, tenant = contained.id, contained.tenant
    respond("undo", case)
    writes = len(tenant.get("/_lab/writes"))
    again = respond("undo", case, "--json")
    assert len(tenant.get("/_lab/writes")) == writes
    assert again.code == 0
    run = respond("--user", VICTIM, "--json")
    assert (run.code, run.json["outcome"]) == (3, "awaiting-approval")
    assert "was taken back" in run.action("disable_device")["summary"]
    assert len(tenant.get("/_lab/writes")) == writes


@pytest.mark.soak
def test_an_undo_that_is_killed_is_finished_by_the_next_command(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    tenant = contained.tenant
    assert not enabled(tenant)
    kill_at("done:take_back", "undo", contained.id)
    assert "finished an interrupted run" in respond("--user", "nobody@contoso.com").err
    assert enabled(tenant)
    restored = [write["path"] for write in tenant.get("/_lab/writes") if write["path"].endswith(DEVICE)]
    assert len(restored) == 2  # disabled once, enabled once


# Freeze and limits


def test_a_freeze_stops_every_write_and_thaw_lets_a_person_go_on(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path))
    assert respond("freeze", "--why", "change of keys", "--as", "ann").code == 0
    held = respond("--user", VICTIM, "--json")
    assert (held.code, held.json["outcome"]) == (3, "awaiting-approval")
    assert "frozen since" in held.action("revoke_sessions")["summary"]
    assert tenant.get("/_lab/writes") == []
    case = held.json["case"]
    still = respond("approve", case, "--json")
    assert (still.code, still.json["outcome"]) == (3, "awaiting-approval")
    assert tenant.get("/_lab/writes") == []
    assert respond("thaw").code == 0
    done = respond("approve", case, "--json")
    assert (done.code, done.json["outcome"]) == (0, "contained-verified"), done.err


@pytest.mark.soak
def test_a_freeze_in_the_middle_of_a_run_holds_at_once(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path), graph_latency="1500ms")
    process = spawn("--user", VICTIM, "--json")
    for _ in range(400):
        if any(write["path"].endswith(DEVICE) for write in tenant.get("/_lab/writes")):
            break
        time.sleep(0.05)
    respond("freeze")
    answer = finish(process)
    frozen = [one for one in answer.json["actions"] if "frozen" in one["summary"]]
    assert frozen, answer
    assert len(tenant.get("/_lab/writes")) <= 2
    assert answer.code in (1, 3)


def test_over_the_limit_a_case_waits_and_one_loud_ticket_says_so(lab: Lab, tmp_path: Path) -> None:
    tenant = lab("second-wave")
    first, second = malicious("second-wave")
    config = ("--config", str(policy(tmp_path, limits={"per_hour": 1})))
    assert respond("--user", first, "--json", *config).json["outcome"] == "contained-verified"
    held = respond("--user", second, "--json", *config)
    assert (held.code, held.json["outcome"]) == (3, "awaiting-approval")
    assert "which is the limit (ladder.limits.per_hour)" in held.action("revoke_sessions")["summary"]
    assert held.action("revoke_sessions")["held"] == "limit"
    assert len(revocations(tenant)) == 1
    loud = [one for one in respond("cases", "--json").json if "LIMIT" in one["headline"]]
    assert len(loud) == 1
    ticket = (tmp_path / "state" / "tickets" / f"{loud[0]['ticket']['id']}.md").read_text()
    assert f"respond approve {held.json['case']}" in ticket
    assert any(entry["kind"] == "limit" for entry in audited(held.json["case"]))
    approved = respond("approve", held.json["case"], "--json", *config)
    assert approved.json["outcome"] == "contained-verified", approved.err


def malicious(story: str) -> list[str]:
    from respond.lab import scenario

    expect = json.loads((scenario.find(story) / "scenario.json").read_text())["expect"]
    return [upn for upn, told in expect.items() if told["verdict"] == "malicious"]


# Audit


def test_every_step_of_a_case_is_in_the_audit_log(answered: Answered) -> None:
    before = answered(Way.CONTAINED)
    case = before.id
    kinds = [entry["kind"] for entry in audited(case)]
    assert kinds[0] == "decision"
    assert kinds.count("request") == kinds.count("change") == 5


def test_an_edit_of_the_audit_log_is_found(answered: Answered, tmp_path: Path) -> None:
    answered(Way.CONTAINED)
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db, db:
        db.execute("UPDATE respond_audit SET what = 'nothing to see' WHERE number = 2")
    found = respond("audit", "verify")
    assert found.code == 1
    assert "entry 2" in found.err + found.out


# Watch


@pytest.mark.soak
def test_a_containment_is_looked_at_again_and_late_evidence_joins_the_ticket(lab: Lab, tmp_path: Path) -> None:
    """The attacker's session goes on after the revocation: seen by the watch alone."""
    tenant = lab(write_story(tmp_path))
    config = ("--config", str(policy(tmp_path, watch=["1s", "2s"])))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    assert respond("watch", *config).code == 0
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        looks = db.execute("SELECT number, said FROM respond_watches ORDER BY number").fetchall()
    assert [number for number, _ in looks] == [1, 2]
    assert all(said.startswith("contained-verified") for _, said in looks)
    assert len(revocations(tenant)) == 1
    assert respond("show", case, "--json").json["outcome"] == "contained-verified"


@pytest.mark.soak
def test_late_evidence_joins_the_case_and_the_ticket(lab: Lab, tmp_path: Path) -> None:
    """What the token was used for arrives after the containment."""
    use = {
        "TimeGenerated": from_now(seconds=6),
        "UserId": USER_ID,
        "SignInActivityId": "AQAAAAAAAECAAAAAAAAR01",
        "SessionId": SESSION,
        "IPAddress": "185.220.101.47",
        "UserAgent": "python-requests/2.28.0",
        "RequestMethod": "GET",
        "RequestUri": "https://graph.microsoft.com/v1.0/users?$search=finance",
        "ResponseStatusCode": 200,
    }
    lab(write_story(tmp_path, rows={"MicrosoftGraphActivityLogs": [use]}))
    config = ("--config", str(policy(tmp_path, watch=["7s"])))
    first = respond("--user", VICTIM, "--json", *config).json
    ticket = tmp_path / "state" / "tickets" / "LAB-1.md"
    assert "token searched" not in ticket.read_text()
    assert respond("watch", *config).code == 0
    after = respond("show", first["case"], "--json").json
    assert "token-searches" in {finding["id"] for finding in after["findings"]}
    text = ticket.read_text()
    assert "token searched" in text
    assert "disable_device DESKTOP-EVIL: done" in text  # what was done stays told
    assert len(list(ticket.parent.iterdir())) == 1


@pytest.mark.soak
def test_a_token_that_lives_on_after_the_containment_raises_the_ticket(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path, rows={"AADNonInteractiveUserSignInLogs": [refreshed(from_now(seconds=20))]}))
    loaded = time.monotonic()
    ladder: dict[str, Any] = {"watch": ["1s"], "grace": "1s", "survived": {"disable_account": "auto"}}
    config = ("--config", str(policy(tmp_path, **ladder)))
    first = respond("--user", VICTIM, "--json", *config)
    assert first.json["outcome"] == "contained-verified"
    time.sleep(max(2.0, loaded + 22 - time.monotonic()))
    assert respond("watch", "--once", *config).code == 0
    after = respond("show", first.json["case"], "--json").json
    assert "attacker-survived" in {finding["id"] for finding in after["findings"]}
    assert statuses(after)["disable_account"] == "done"
    assert (tmp_path / "state" / "tickets" / "LAB-1.md").read_text().startswith("# STILL THERE: ")
    assert len(revocations(tenant)) == 2


@pytest.mark.soak
def test_a_look_that_was_planned_survives_the_death_of_its_process(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path))
    config = ("--config", str(policy(tmp_path, watch=["1s"])))
    respond("--user", VICTIM, *config)
    time.sleep(1.1)
    kill_at("done:hunt_device_code_signins", "watch", *config)
    assert respond("watch", *config).code == 0
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        ((said,),) = db.execute("SELECT said FROM respond_watches").fetchall()
    assert said.startswith("contained-verified")


def test_nothing_to_watch_ends_at_once(lab: Lab) -> None:
    lab()
    assert respond("watch").code == 0
