"""Rows of the shapes that a real capture and public reports show, through a whole run against the lab over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.settings import LabFault
from tests.helpers.command import VICTIM, Answer, respond
from tests.helpers.dug_in_story import ATTACKER, DUG_IN, METHOD, RULE, USER_ID, write_story
from tests.helpers.tenant_story import Tale, guid, iso, upn
from tests.helpers.victims import NOW, OFFICE
from tests.lab.running_lab import RunningLab, running

Lab = Callable[..., RunningLab]
Rows = list[dict[str, Any]]

OATH, PASSKEY, EXTERNAL = (METHOD.replace("3179", start) for start in ("4179", "5179", "6179"))
KEPT, LATE, NEVER = "AQAAAJ5dZp9=", "AQAAAJ5dZpA=", "Receipts"
NOTES, NOTES_APP, NOTES_GRANT = (f"c3000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/144.0 Safari/537.36 Edg/144.0"


def audit(number: int, what: str, *targets: dict[str, Any], **columns: Any) -> dict[str, Any]:
    who = {"user": {"id": USER_ID, "userPrincipalName": VICTIM, "ipAddress": ATTACKER}}
    known = {"TimeGenerated": DUG_IN, "ActivityDateTime": DUG_IN, "Id": f"Directory_{number}", "Result": "success"}
    return known | {"OperationName": what, "InitiatedBy": who, "TargetResources": list(targets)} | columns


def registered(number: int, reason: str) -> dict[str, Any]:
    target = {"id": USER_ID, "type": "User"}
    return audit(number, "User registered security info", target, ResultReason=reason)


def method(kind: str, number: str) -> dict[str, Any]:
    """As Graph lists one that was registered for anything but passwordless sign-in: without a time."""
    return {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod",
        "id": number,
        "displayName": kind,
        "createdDateTime": None,
    }


def rule(name: str, number: str, **more: Any) -> dict[str, Any]:
    plain = {"sequence": 1, "isEnabled": True, "hasError": False, "isReadOnly": False}
    return {"id": number, "displayName": name} | plain | more


def updated_rules(name: str, row: str) -> dict[str, Any]:
    """As Outlook logs a rule: no parameters, and the name in the properties of the operation."""
    pairs = {"RuleOperation": "AddMailboxRule", "RuleName": name, "RuleActions": '[{"ActionType":"Delete"}]'}
    return {
        "TimeGenerated": DUG_IN,
        "OfficeId": row,
        "OfficeWorkload": "Exchange",
        "Operation": "UpdateInboxRules",
        "UserId": VICTIM,
        "ClientIP": f"[{ATTACKER}]:50321",
        "Parameters": "",
        "OperationProperties": [{"Name": key, "Value": value} for key, value in pairs.items()],
    }


def changed(file: Path, edit: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Change the rows of a table; None leaves one out."""
    rows = [edit(json.loads(line)) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows if row))


def fates(answer: Answer) -> dict[str, list[tuple[str, str]]]:
    """What has become of the changes of each kind: their name and fate."""
    told: dict[str, list[tuple[str, str]]] = {}
    for one in answer.json["persistence"]:
        told.setdefault(one["kind"], []).append((one["name"], one["fate"]))
    return told


def asked(answer: Answer, name: str) -> set[str]:
    """Objects that a person is asked about by one containment action."""
    actions = [one for one in answer.json["actions"] if one["name"] == name]
    return {one["step"]["object"] for one in actions if one["status"] == "awaiting-approval"}


def tenant_changes() -> Rows:
    policy, domain, guest = ({"id": f"d4000000-0000-4000-8000-00000000000{number}"} for number in (1, 2, 3))
    return [
        audit(21, "Update conditional access policy", policy | {"type": "Policy", "displayName": "Block device code"}),
        audit(22, "Set domain authentication", domain | {"displayName": "contoso.com"}),
        audit(23, "Invite external user", guest | {"type": "User", "displayName": "guest@example.com"}),
    ]


@pytest.fixture(scope="module")
def dug_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Answer, Any, str]]:
    """One run on a story with a change of every such shape: the answer, the directory afterwards, the page."""
    folder = tmp_path_factory.mktemp("shapes")

    def edit(directory: dict[str, Any]) -> None:
        kinds = {"softwareOath": OATH, "fido2": PASSKEY, "external": EXTERNAL}
        added = [method("microsoftAuthenticator", METHOD), *(method(*item) for item in kinds.items())]
        directory["authenticationMethods"][USER_ID] = added
        directory["messageRules"][USER_ID] = [rule("..", RULE), rule("Invoices", KEPT, isReadOnly=True)]
        directory["devices"][-1]["operatingSystem"] = None

    rules = [updated_rules("..", "row 1"), updated_rules("Invoices", "row 2")]
    story = write_story(folder, edit=edit, rows={"AuditLogs": tenant_changes(), "OfficeActivity": rules})
    changed(story / "OfficeActivity.jsonl", lambda row: None if row["Operation"] == "New-InboxRule" else row)
    reasons = iter(("User registered Authenticator App with Code", "User registered External Authentication Method"))
    seen = [registered(31 + number, reason) for number, reason in enumerate(reasons)]
    is_method = "User registered security info"
    changed(story / "AuditLogs.jsonl", lambda row: None if row["OperationName"] == is_method else row)
    with (story / "AuditLogs.jsonl").open("a") as end:
        end.writelines(json.dumps(row) + "\n" for row in seen)
    refused = LabFault(match="PATCH */devices/*", status=400, times=0)
    with running(story, folder / "lab", faults=(refused,)) as tenant, pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESPOND_LAB__URL", tenant.url)
        environment.setenv("RESPOND_STATE__URL", f"sqlite:///{folder / 'state' / 'respond.db'}")
        answer = respond("--user", VICTIM, "--json")
        page = " ".join(respond("show", answer.json["case"]).out.split())
        yield answer, tenant.get("/_lab/directory"), page


Dug = tuple[Answer, Any, str]


def test_a_method_without_a_time_is_asked_about_by_the_type_that_the_row_names(dug_in: Dug) -> None:
    answer, _, page = dug_in
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval"), answer.err
    assert asked(answer, "remove_method") == {METHOD, OATH, EXTERNAL}
    assert PASSKEY not in page
    assert [fate for _, fate in fates(answer)["method"]] == ["action", "action"]
    assert "Microsoft Graph does not say when" in page


def test_a_rule_that_outlook_logged_is_known_by_its_name_and_switched_off(dug_in: Dug) -> None:
    answer, directory, _ = dug_in
    assert ("..", "action") in fates(answer)["mail-rule"]
    assert [one["isEnabled"] for one in directory["messageRules"][USER_ID]] == [False, True]


def test_a_read_only_rule_is_refused_with_the_command_of_exchange(dug_in: Dug) -> None:
    answer, _, page = dug_in
    (refused,) = (one for one in answer.json["actions"] if one["target"] == "Invoices")
    assert (refused["name"], refused["status"]) == ("disable_rule", "refused")
    assert ("Invoices", "action") in fates(answer)["mail-rule"]
    for said in (refused["summary"], page):
        assert "read-only" in said
        assert "Remove-InboxRule" in said


def test_a_device_that_entra_does_not_let_us_disable_is_asked_about_for_deletion(dug_in: Dug) -> None:
    """Graph does not name its system, so disabling it is tried first."""
    answer, directory, page = dug_in
    (device,) = (one for one in directory["devices"] if one["displayName"] == "DESKTOP-EVIL")
    assert device["accountEnabled"] is True
    assert asked(answer, "delete_device") == {device["id"]}
    assert "disable_device" not in {one["name"] for one in answer.json["actions"]}
    assert [fate for _, fate in fates(answer)["device"]] == ["action"]
    assert "it cannot be disabled" in page


def test_a_policy_a_domain_and_a_guest_are_named_and_left_to_a_person(dug_in: Dug) -> None:
    answer, _, page = dug_in
    told = {(kind, fate) for kind, objects in fates(answer).items() for _, fate in objects}
    assert {("policy", "manual-task"), ("domain", "manual-task"), ("guest", "manual-task")} <= told
    assert {"policy-changed", "domain-changed", "guest-invited"} <= {one["id"] for one in answer.json["findings"]}
    for name in ("Block device code", "contoso.com", "guest@example.com"):
        assert name in page


def test_what_a_list_lacks_is_looked_for_again_and_what_stays_away_is_named(lab: Lab, tmp_path: Path) -> None:
    """A rule that is listed a second after the revocation is switched off; one that never is becomes a task.

    And a consent inside the code flow, 16 minutes before the success and 3 before the interrupt that asked for it.
    """

    def edit(directory: dict[str, Any]) -> None:
        directory["messageRules"][USER_ID] = []
        grant = {"id": NOTES_GRANT, "clientId": NOTES, "consentType": "Principal", "principalId": USER_ID}
        directory["oauth2PermissionGrants"].append(grant | {"resourceId": NOTES_GRANT, "scope": "Mail.ReadWrite"})

    interrupt, consented = "2026-01-15T09:12:00Z", "2026-01-15T09:09:00Z"
    happens = [
        {"on": "POST */revokeSignInSessions", "after": "1s", "add": {"messageRules": {USER_ID: [rule("..", LATE)]}}}
    ]
    rules = [updated_rules(NEVER, "row 3")]
    story = write_story(tmp_path, edit=edit, rows={"OfficeActivity": rules}, happens=happens)
    approval = json.loads((story / "SigninLogs.jsonl").read_text().splitlines()[0])
    before = {"Id": guid("before"), "CreatedDateTime": interrupt, "TimeGenerated": interrupt, "ResultType": "65001"}
    unmarked = {"AuthenticationProtocol": "none", "OriginalTransferMethod": "none", "SessionId": ""}
    application = {"id": NOTES, "type": "ServicePrincipal", "displayName": "Contoso Notes", "modifiedProperties": [
        {"displayName": "TargetId.ServicePrincipalNames", "newValue": json.dumps(approval["AppId"])},
        {"displayName": "ConsentAction.Permissions", "newValue": f'"[] => [[ClientId: {NOTES}]]"'},
    ]}  # fmt: skip
    service = {"id": USER_ID, "displayName": "Azure ESTS Service", "ipAddress": "20.190.128.77"}
    consent = audit(41, "Consent to application", application, Identity="Azure ESTS Service")
    consent |= {"InitiatedBy": {"user": service}, "TimeGenerated": consented, "ActivityDateTime": consented}
    for table, row in (("SigninLogs", approval | before | unmarked), ("AuditLogs", consent)):
        with (story / f"{table}.jsonl").open("a") as end:
            end.write(json.dumps(row) + "\n")
    tenant = lab(story)
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (4, "contained-unverified"), answer.err
    assert set(fates(answer)["mail-rule"]) == {("..", "action"), (NEVER, "manual-task")}
    assert NEVER in " ".join(answer.json["tasks"])
    directory = tenant.get("/_lab/directory")
    assert [one["isEnabled"] for one in directory["messageRules"][USER_ID]] == [False]
    assert ("Contoso Notes", "action") in fates(answer)["consent"]
    assert directory["oauth2PermissionGrants"] == []


def at_home(tale: Tale, name: str) -> None:
    """Somebody who signs in at the office every day, and approved there what was redeemed there."""
    tale.user(name)
    tale.phished(name, ago=timedelta(hours=3))
    tale.redemptions[-1]["IPAddress"] = OFFICE
    usual = tale.approvals[-1]
    for day in range(1, 9):
        at = iso(NOW - timedelta(days=day))
        own = {
            "Id": guid(f"{name}|{day}"),
            "CorrelationId": guid(f"{name}|{day}|c"),
            "SessionId": guid(f"{name}|{day}|s"),
        }
        tale.approvals.append(
            usual | own | {"AuthenticationProtocol": "oAuth2", "TimeGenerated": at, "CreatedDateTime": at}
        )


def own_browser(tale: Tale, name: str, ip: str, *, minutes: float) -> dict[str, Any]:
    """The approver goes on in their browser: the mark of the session, another correlation."""
    (approval,) = (
        row for row in tale.approvals if row["UserId"] == guid(name) and row["AuthenticationProtocol"] == "deviceCode"
    )
    at = iso(NOW - timedelta(minutes=minutes))
    marked = {"AuthenticationProtocol": "none", "OriginalTransferMethod": "deviceCodeFlow", "ClientAppUsed": "Browser"}
    app = {"AppId": "4765445b-32c6-49b0-83e6-1d93765276ca", "AppDisplayName": "OfficeHome"}
    when = {
        "TimeGenerated": at,
        "CreatedDateTime": at,
        "Id": guid(f"{name}|own"),
        "CorrelationId": guid(f"{name}|own|c"),
    }
    return (
        approval
        | marked
        | app
        | when
        | {"IPAddress": ip, "AutonomousSystemNumber": "64501" if ip != OFFICE else "64500"}
    )


def test_the_approvers_own_browser_neither_clears_nor_accuses(lab: Lab, tmp_path: Path) -> None:
    """Ann's redeemer is late, and her browser goes on at the office; Bob redeemed there, and goes on in the train."""
    laptop = json.dumps(
        {"deviceId": "11111111-2222-4333-8444-555555555555", "isManaged": "true", "isCompliant": "true"}
    )
    tale = Tale()
    for name in ("ann", "bob"):
        at_home(tale, name)
    for row in tale.approvals:
        row |= {"UserAgent": EDGE, "DeviceDetail": laptop}
    late = own_browser(tale, "ann", OFFICE, minutes=20)
    tale.redemptions[:] = [row for row in tale.redemptions if row["UserId"] != guid("ann")]
    tale.redemptions += [late, own_browser(tale, "bob", "198.51.100.200", minutes=20)]
    tenant = lab(tale.write(tmp_path / "story"))
    ann, bob = (respond("--user", upn(name), "--json") for name in ("ann", "bob"))
    assert ann.json["verdict"] == "suspicious", ann.json["findings"]
    assert "redeemer-unseen" in {one["id"] for one in ann.json["findings"]}
    found = {one["id"] for one in bob.json["findings"]}
    assert bob.json["verdict"] != "malicious"
    assert not found & {"legs-apart", "new-network", "other-address", "redeemer-unseen"}, found
    assert tenant.get("/_lab/writes") == []
