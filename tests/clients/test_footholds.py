"""Rows of AuditLogs and OfficeActivity, in the shapes that Microsoft writes them, as changes that let somebody stay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from respond.clients.footholds import linked, read_change, read_revocation, read_rule
from respond.models.evidence import Foothold, FootholdKind

USER, PRINCIPAL, CLIENT = (f"{one}0000000-0000-4000-8000-000000000001" for one in "abc")
AT = "2026-01-15T09:28:00Z"
ADDRESS = "198.51.100.7"


def audit(operation: str, *targets: dict[str, Any], **more: Any) -> Foothold | None:
    row = {"At": AT, "Id": "1", "OperationName": operation, "Actor": USER, "ActorIp": ADDRESS}
    return read_change(row | {"Targets": json.dumps(targets)} | more)


def changed(**properties: str) -> dict[str, Any]:
    return {"modifiedProperties": [{"displayName": name, "newValue": new} for name, new in properties.items()]}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("Update application \u2013 Certificates and secrets management ", FootholdKind.APPLICATION),
        ("Update application - Certificates and secrets management", FootholdKind.APPLICATION),
        ("Add service principal", FootholdKind.APPLICATION),
        ("Add service principal credentials ", FootholdKind.APPLICATION),
        ("Add owner to application", FootholdKind.APPLICATION),
        ("Add member to role", FootholdKind.ROLE),
        ("Add eligible member to role in PIM completed (permanent)", FootholdKind.ROLE),
        ("Add member to role completed (PIM activation)", FootholdKind.ROLE),
        ("Add member to role requested (PIM activation)", FootholdKind.ROLE),
        ("Add member to role request denied (PIM activation)", None),
        ("Add eligible member to role in PIM canceled (renew)", None),
        ("Update conditional access policy", FootholdKind.POLICY),
        ("Delete conditional access policy", FootholdKind.POLICY),
        ("Authentication Methods Policy Update", FootholdKind.POLICY),
        ("Set domain authentication", FootholdKind.DOMAIN),
        ("Set federation settings on domain", FootholdKind.DOMAIN),
        ("Invite external user", FootholdKind.GUEST),
        ("Add registered owner to device", FootholdKind.DEVICE),
        ("Add passkey (device-bound)", FootholdKind.METHOD),
        ("Add platform credential", FootholdKind.METHOD),
        ("Admin updated security info", FootholdKind.METHOD),
        ("User updated security info", FootholdKind.METHOD),
        ("Add users strong authentication phone app detail", FootholdKind.METHOD),
        ("Add user", FootholdKind.ACCOUNT),
        ("Reset password (by admin)", FootholdKind.ACCOUNT),
        ("Reset user password", FootholdKind.ACCOUNT),
        ("Disable Strong Authentication", FootholdKind.ACCOUNT),
        ("Create application password for user", FootholdKind.ACCOUNT),
        ("Set device registration policies", FootholdKind.POLICY),
        ("Remove delegated permission grant", FootholdKind.CONSENT),
        ("Change user password", None),
        ("Update policy of the canteen", None),
        ("Add member to group", None),
        ("Update application", None),
        ("Update user", None),
    ],
)
def test_an_operation_is_known_by_its_name_however_it_is_written(operation: str, kind: FootholdKind | None) -> None:
    found = audit(operation)
    assert (found.kind if found else None) is kind


def test_a_password_that_a_program_resets_is_no_act_of_the_users() -> None:
    assert audit("Reset user password", Actor=USER)
    assert audit("Reset user password", Actor="") is None


def test_only_the_key_that_was_not_there_before_is_an_added_secret() -> None:
    old, new = (
        '["[KeyIdentifier=' + PRINCIPAL + ']"]',
        '["[KeyIdentifier=' + PRINCIPAL + ']","[KeyIdentifier=' + CLIENT + ']"]',
    )
    properties = [{"displayName": "KeyDescription", "oldValue": old, "newValue": new}]
    found = audit("Update application", {"id": USER, "type": "Application", "modifiedProperties": properties})
    assert found
    assert (found.secrets, found.objects) == ((CLIENT,), (USER,))


@pytest.mark.parametrize("named", ["Identity", "ActorName"])
def test_the_address_of_entras_sign_in_service_is_no_address(named: str) -> None:
    found = audit("Consent to application", {"id": PRINCIPAL}, **{named: "Azure ESTS Service"})
    assert found
    assert found.ip == ""


def test_a_grant_and_a_consent_to_the_same_application_know_each_others_ids() -> None:
    consent = audit(
        "Consent to application", {"id": PRINCIPAL} | changed(**{"TargetId.ServicePrincipalNames": f'"{CLIENT}"'})
    )
    grant = audit(
        "Add delegated permission grant", {"id": USER} | changed(**{"ServicePrincipal.ObjectID": f'"{PRINCIPAL}"'})
    )
    other = audit("Consent to application", {"id": "another"})
    assert consent
    assert grant
    assert other
    found = linked([consent, grant, other])
    assert [set(one.objects) for one in found] == [{PRINCIPAL, CLIENT}, {PRINCIPAL, CLIENT}, {"another"}]


def test_an_application_is_known_by_the_details_of_its_consent() -> None:
    details = json.dumps([{"key": "AppId", "value": CLIENT}])
    found = audit("Consent to application", {"id": PRINCIPAL}, Agent=details)
    assert found
    assert set(found.objects) == {PRINCIPAL, CLIENT}


def strong(old: list[dict[str, str]], new: list[dict[str, str]]) -> Foothold | None:
    one = {
        "displayName": "StrongAuthenticationPhoneAppDetail",
        "oldValue": json.dumps(old),
        "newValue": json.dumps(new),
    }
    return audit("Update user", {"id": USER, "type": "User", "modifiedProperties": [one]})


def test_a_method_in_the_properties_of_the_user_counts_when_it_is_new() -> None:
    phone = {"DeviceName": "Pixel 6", "Id": CLIENT, "LastAuthenticatedTimestamp": "1"}
    found = strong([], [phone])
    assert found
    assert (found.objects, found.aliases) == ((CLIENT,), ("Pixel 6",))
    assert strong([phone], [phone | {"LastAuthenticatedTimestamp": "2"}]) is None


PAIRS = [{"Name": "RuleName", "Value": ".."}, {"Name": "RuleId", "Value": "-7"}]


@pytest.mark.parametrize(
    ("operation", "row", "names"),
    [
        ("New-InboxRule", {"Parameters": json.dumps([{"Name": "Name", "Value": ".."}])}, ("..",)),
        ("UpdateInboxRules", {"Properties": json.dumps(PAIRS)}, ("..",)),
        ("Set-InboxRule", {"Object": r"contoso.com/Hosted/user\Old name"}, ("Old name",)),
        ("Set-InboxRule", {"Parameters": json.dumps([{"Name": "Identity", "Value": r"user\Old"}])}, ("Old",)),
        (
            "Set-InboxRule",
            {"Parameters": json.dumps([{"Name": "Identity", "Value": "Old"}, {"Name": "Name", "Value": "New"}])},
            ("New", "Old"),
        ),
        ("UpdateInboxRules", {}, ()),
        ("UpdateInboxRules", {"Parameters": "not JSON", "Properties": "[1, null]"}, ()),
    ],
)
def test_a_rule_is_known_by_every_name_that_the_row_gives_it(
    operation: str, row: dict[str, Any], names: tuple[str, ...]
) -> None:
    found = read_rule({"At": AT, "OfficeId": "1", "Operation": operation, "ClientIp": ADDRESS} | row)
    assert found
    assert found.names == names


@pytest.mark.parametrize(
    ("row", "whose"),
    [
        ({}, ()),
        ({"MailboxOwnerUPN": "Ann@contoso.com"}, ("ann@contoso.com",)),
        ({"Parameters": json.dumps([{"Name": "Mailbox", "Value": "ben"}]), "MailboxOwnerUPN": "ann@x.com"}, ("ben",)),
        ({"Parameters": json.dumps([{"Name": "Identity", "Value": r"ben@x.com\Old"}])}, ("ben@x.com",)),
        ({"Parameters": json.dumps([{"Name": "Identity", "Value": r"EURPR01\Org\Ann\Old"}])}, ()),
    ],
)
def test_a_rule_is_in_the_mailbox_that_the_row_names(row: dict[str, Any], whose: tuple[str, ...]) -> None:
    found = read_rule({"At": AT, "OfficeId": "1", "Operation": "New-InboxRule", "ClientIp": ADDRESS} | row)
    assert found
    assert found.whose == whose


def test_a_method_is_for_the_user_that_the_row_is_about() -> None:
    found = audit("Admin registered security info", {"id": USER, "userPrincipalName": "Ben@x.com", "type": "User"})
    assert found
    assert found.whose == (USER, "ben@x.com")


@pytest.mark.parametrize(
    ("value", "counts"), [("smtp:x@mail.example", True), ("", False), ("$null", False), ("False", False)]
)
def test_forwarding_that_is_taken_away_lets_nobody_stay(value: str, counts: bool) -> None:
    given = json.dumps([{"Name": "ForwardingSmtpAddress", "Value": value}])
    found = read_rule({"At": AT, "OfficeId": "1", "Operation": "Set-Mailbox", "Parameters": given})
    assert (found is not None) == counts
    assert not found or found.is_forwarding


def test_a_registered_device_says_its_build_and_the_client_that_registered_it() -> None:
    device = {"displayName": "DESKTOP-7KQ2M1PA", "type": "Device", "id": CLIENT}
    agent = json.dumps([{"key": "User-Agent", "value": "Dsreg/10.0 (Windows 10.0.19045.2006)"}])
    made = audit("Register device", device, Agent=agent)
    assert made is not None
    assert (made.build, made.agent) == ("10.0.19045.2006", "Dsreg/10.0 (Windows 10.0.19045.2006)")
    said = audit("Add device", device | changed(DeviceOSVersion='["10.0.26100.1"]'), Agent="no JSON")
    assert said is not None
    assert (said.build, said.agent) == ("10.0.26100.1", "")


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        ("Update StsRefreshTokenValidFrom Timestamp", True),
        ("update stsrefreshtokenvalidfrom timestamp ", True),
        ("Update user", False),
        ("", False),
    ],
)
def test_the_audit_log_proves_a_revocation_and_no_addition(operation: str, found: bool) -> None:
    row = {"At": AT, "Id": "1", "OperationName": operation, "Targets": json.dumps([{"id": USER, "type": "User"}])}
    assert bool(read_revocation(row)) is found
    assert read_change(row) is None
