"""The whole ladder over the wire: what was dug in goes, what was there before stays, nothing is green by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.settings import LabFault, shipped_config
from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.dug_in_story import (
    DEVICE,
    GRANT,
    METHOD,
    OFFICE,
    OWN_DEVICE,
    REVOKE,
    RULE,
    USER_ID,
    device,
    from_now,
    policy,
    refreshed,
    write_story,
)
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
answered = _answered


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["status"] for one in report["actions"] if one["name"] != "open_ticket"}


def held(tenant: RunningLab) -> dict[str, Any]:
    """What the attacker dug in with, and what the user had, as the directory now is."""
    directory = tenant.get("/_lab/directory")
    devices = {one["id"]: one["accountEnabled"] for one in directory["devices"]}
    return {
        "device": devices[DEVICE],
        "own device": devices[OWN_DEVICE],
        "methods": [one["id"] for one in directory["authenticationMethods"][USER_ID]],
        "grants": [one["id"] for one in directory["oauth2PermissionGrants"]],
        "rule": next(one["isEnabled"] for one in directory["messageRules"][USER_ID] if one["id"] == RULE),
    }


def test_what_the_attacker_dug_in_with_is_taken_away_and_the_rest_stays(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    report, tenant = contained.report, contained.tenant
    assert report["outcome"] == "contained-verified"
    assert statuses(report) == dict.fromkeys(
        ("disable_device", "revoke_sessions", "remove_method", "remove_grant", "disable_rule"), "done"
    )
    assert all(one["verified"] for one in report["actions"] if one["name"] != "open_ticket")
    now = held(tenant)
    assert (now["device"], now["own device"], now["grants"], now["rule"]) == (False, True, [], False)
    assert METHOD not in now["methods"]
    assert len(now["methods"]) == 1
    order = [write["path"].rsplit("/", 1)[-1] for write in tenant.get("/_lab/writes")]
    assert order.index(DEVICE) < order.index("revokeSignInSessions")


@pytest.mark.soak
def test_a_second_run_finds_everything_done(answered: Answered) -> None:
    tenant = answered(Way.CONTAINED).tenant
    writes = len(tenant.get("/_lab/writes"))
    again = respond("--user", VICTIM, "--json")
    assert (again.code, again.json["repeat"]) == (0, True)
    assert len(tenant.get("/_lab/writes")) == writes


def test_what_the_user_did_from_the_office_is_asked_about(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path, ip=OFFICE))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")
    assert statuses(answer.json) == {
        "revoke_sessions": "done",
        **dict.fromkeys(("disable_device", "remove_method", "remove_grant", "disable_rule"), "awaiting-approval"),
    }
    assert held(tenant)["device"]
    assert [write["path"] for write in tenant.get("/_lab/writes")] == [f"/v1.0/users/{USER_ID}/revokeSignInSessions"]


def test_a_device_that_is_registered_while_we_revoke_is_found_and_revoked_for(lab: Lab, tmp_path: Path) -> None:
    late = device("de000000-0000-4000-8000-000000000002", "now", "DESKTOP-LATE")
    happens = [{"on": REVOKE, "add": {"devices": [late]}}]
    tenant = lab(write_story(tmp_path, happens=happens))
    answer = respond("--user", VICTIM, "--json")
    disabled = [one["target"] for one in answer.json["actions"] if one["name"] == "disable_device"]
    assert disabled == ["DESKTOP-EVIL", "DESKTOP-LATE"]
    assert answer.json["outcome"] == "contained-verified"
    directory = tenant.get("/_lab/directory")
    assert {one["displayName"] for one in directory["devices"] if not one["accountEnabled"]} == set(disabled)


@pytest.mark.parametrize(
    ("rung", "path"),
    [
        pytest.param("confirm_user", "riskyUsers/confirmCompromised", marks=pytest.mark.soak),
        pytest.param("confirm_sign_ins", "signIns/confirmCompromised", marks=pytest.mark.soak),
        ("disable_account", f"users/{USER_ID}"),
    ],
)
def test_a_rung_that_the_policy_lets_act_is_climbed(rung: str, path: str, lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path))
    answer = respond("--user", VICTIM, "--json", "--config", str(policy(tmp_path, malicious={rung: "auto"})))
    assert answer.action(rung)["status"] == "done", answer.err
    assert answer.json["outcome"] == "contained-verified"
    assert sum(write["path"].endswith(path) for write in tenant.get("/_lab/writes")) == 1


def one_user(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def edit(directory: dict[str, Any]) -> None:
        user = next(one for one in directory["users"] if one["id"] == USER_ID)
        user.update(changes)

    return edit


def administrator(directory: dict[str, Any]) -> None:
    directory["roleAssignments"].append(
        {
            "principalId": USER_ID,
            "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10",
            "roleDefinitionName": "Global Administrator",
        }
    )


@pytest.mark.soak
@pytest.mark.parametrize(
    ("edit", "status", "words", "code"),
    [
        pytest.param(
            one_user(onPremisesSyncEnabled=True),
            "refused",
            "synchronized from a directory on premises",
            1,
            id="synchronized",
        ),
        pytest.param(
            one_user(accountEnabled=False), "unneeded", "disabled", 0, id="disabled already", marks=pytest.mark.soak
        ),
        pytest.param(
            administrator,
            "failed",
            "Privileged Authentication Administrator",
            1,
            id="administrator",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_an_account_that_cannot_be_disabled_here_is_told_of(
    edit: Callable[[dict[str, Any]], None], status: str, words: str, code: int, lab: Lab, tmp_path: Path
) -> None:
    lab(write_story(tmp_path, edit=edit))
    config = policy(tmp_path, malicious={"disable_account": "auto"})
    answer = respond("--user", VICTIM, "--json", "--config", str(config))
    told = answer.action("disable_account")
    assert (told["status"], answer.code) == (status, code)
    assert words in told["summary"]
    assert answer.action("revoke_sessions")["status"] == "done"
    assert answer.action("open_ticket")["status"] == "done"


PROTECTED_GROUP = "ab000000-0000-4000-8000-000000000001"


def in_group(directory: dict[str, Any]) -> None:
    directory["groups"].append({"id": PROTECTED_GROUP, "displayName": "Board", "members": [USER_ID]})


@pytest.mark.parametrize(
    ("edit", "protected", "fault"),
    [
        pytest.param(lambda _: None, {"accounts": [USER_ID]}, None, id="account", marks=pytest.mark.soak),
        pytest.param(in_group, {"groups": [PROTECTED_GROUP]}, None, id="group"),
        pytest.param(
            administrator,
            {"roles": ["62e90394-69f5-4237-9190-012177145e10"]},
            None,
            id="role",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            lambda _: None,
            {"groups": [PROTECTED_GROUP]},
            LabFault(match="GET */transitiveMemberOf", status=403, times=0),
            id="a group that cannot be read",
        ),
    ],
)
def test_whom_the_policy_protects_waits_for_a_person(
    edit: Callable[[dict[str, Any]], None],
    protected: dict[str, list[str]],
    fault: LabFault | None,
    lab: Lab,
    tmp_path: Path,
) -> None:
    tenant = lab(write_story(tmp_path, edit=edit), faults=(fault,) if fault else ())
    answer = respond("--user", VICTIM, "--json", "--config", str(policy(tmp_path, protected=protected)))
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval"), answer.err
    assert set(statuses(answer.json).values()) == {"awaiting-approval"}
    assert tenant.get("/_lab/writes") == []


def test_an_emergency_account_waits_for_a_person(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path))
    config = policy(tmp_path)
    shipped = (shipped_config() / "policy.toml").read_text()
    (config / "policy.toml").write_text(shipped.replace("break_glass = []", f'break_glass = ["{USER_ID}"]'))
    answer = respond("--user", VICTIM, "--json", "--config", str(config))
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")
    assert "emergency account" in answer.action("revoke_sessions")["summary"]
    assert tenant.get("/_lab/writes") == []


def test_a_user_who_is_deleted_is_one_line_and_no_success(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(write_story(tmp_path, edit=one_user(deletedDateTime="2026-01-15T09:35:00Z")))
    answer = respond("--user", VICTIM)
    assert answer.code != 0
    assert answer.err.count("\n") == 1
    assert VICTIM in answer.err
    assert tenant.get("/_lab/writes") == []


def test_devices_that_cannot_be_listed_leave_the_containment_unproven(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path), faults=(LabFault(match="GET */registeredDevices", status=403, times=0),))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (4, "contained-unverified")
    assert any(gap["source"] == "devices" for gap in answer.json["gaps"])


@pytest.mark.soak
def test_a_device_that_is_gone_when_it_is_to_be_disabled_is_no_success(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path), faults=(LabFault(match=f"GET */devices/{DEVICE}", status=404, times=0),))
    answer = respond("--user", VICTIM, "--json")
    assert answer.action("disable_device")["status"] == "failed"
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert answer.action("revoke_sessions")["status"] == "done"


def test_a_token_that_is_issued_after_the_revocation_is_a_survivor(lab: Lab, tmp_path: Path) -> None:
    """The cut-off lies a quarter of an hour back, and the session goes on."""

    def edit(directory: dict[str, Any]) -> None:
        one_user(signInSessionsValidFromDateTime=from_now(minutes=-11))(directory)

    lab(write_story(tmp_path, edit=edit, rows={"AADNonInteractiveUserSignInLogs": [refreshed(from_now(minutes=-2))]}))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")
    assert answer.action("disable_account")["status"] == "awaiting-approval"
    assert "issued in the old session" in answer.action("disable_account")["why"]
    assert answer.action("revoke_sessions")["status"] == "done"
    case = answer.json["case"]
    ticket = (tmp_path / "state" / "tickets" / "LAB-1.md").read_text()
    assert ticket.startswith("# STILL THERE: ")
    approved = respond("approve", case, "--action", "disable_account", "--as", "ann", "--json")
    assert (approved.code, approved.json["outcome"]) == (0, "contained-verified"), approved.err
    assert approved.action("disable_account")["by"] == "ann"


def test_the_ticket_names_who_else_got_the_lure_and_what_no_call_can_do(lab: Lab, tmp_path: Path) -> None:
    forwarded = {
        "TimeGenerated": from_now(minutes=-9),
        "OfficeId": "f0",
        "OfficeWorkload": "Exchange",
        "Operation": "Set-Mailbox",
        "UserId": VICTIM,
        "ClientIP": "185.220.101.47",
        "Parameters": json.dumps([{"Name": "ForwardingSmtpAddress", "Value": "smtp:x@evil.example"}]),
    }
    lab(write_story(tmp_path, rows={"OfficeActivity": [forwarded]}))
    respond("--user", VICTIM)
    ticket = (tmp_path / "state" / "tickets" / "LAB-1.md").read_text()
    assert "purge the lure in Defender" in ticket
    assert VICTIM in ticket.split("purge the lure")[1]
    assert "forwarding of the whole mailbox" in ticket
    assert ticket.count("## To do by hand") == 1


@pytest.mark.soak
def test_the_report_says_what_each_write_costs_and_how_it_is_taken_back(answered: Answered) -> None:
    plan = answered(Way.PLANNED)
    tenant = plan.tenant
    assert plan.report["outcome"] == "planned"
    writes = [one for one in plan.report["actions"] if one["name"] != "open_ticket"]
    assert len(writes) == 5
    for one in writes:
        assert one["request"]["url"].startswith("http")
        assert all(one[name] for name in ("why", "undo", "permissions", "precondition", "step")), one
    bodies = {one["name"]: one["request"]["body"] for one in writes}
    assert bodies["disable_device"] == {"accountEnabled": False}
    assert bodies["disable_rule"] == {"isEnabled": False}
    assert tenant.get("/_lab/writes") == []
    assert GRANT in next(one["request"]["url"] for one in writes if one["name"] == "remove_grant")
    assert revocations(tenant) == []
