"""Workspace, tables, licence, hunting, Conditional Access and the people of the policy: as they should be, and not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.doctor.workspace import queries_by_table
from respond.lab.constants import SECURITY_INSIGHTS
from tests.helpers.doctor_checks import examined, hurried, policy, told
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
Variant = Callable[..., Path]

WORKSPACE = SECURITY_INSIGHTS.partition("/providers/Microsoft.SecurityInsights")[0]
VICTIM = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
NOBODY = "00000000-0000-4000-8000-00000000dead"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
GROUP = "5a5a5a5a-0000-4000-8000-000000000001"


def block(**changes: Any) -> dict[str, Any]:
    """A policy that blocks device code flow for everybody."""
    good = {
        "id": "p1",
        "displayName": "Block device code",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"], "excludeGroups": ["g1", "g2"]},
            "applications": {"includeApplications": ["All"]},
            "authenticationFlows": {"transferMethods": "deviceCodeFlow,authenticationTransfer"},
        },
        "grantControls": {"operator": "OR", "builtInControls": ["block"]},
    }
    return good | changes


def test_a_workspace_that_answers_is_ok(tenant: str) -> None:
    ((name, status, words),) = told("workspace", url=tenant)
    assert (name, status) == ("workspace", "ok")
    assert words.startswith("answers in ")


def test_a_workspace_that_refuses_names_the_role(ill: Start) -> None:
    ((_, status, words),) = told("workspace", url=ill(withheld_permissions=("Data.Read",)).url)
    assert status == "error"
    assert "assign Log Analytics Reader" in words


def test_a_workspace_that_is_none_names_the_key(tenant: str) -> None:
    other = {"tenant": {"workspace_id": NOBODY}}
    ((_, status, words),) = told("workspace", url=tenant, settings=hurried(**other))
    assert status == "error"
    assert "tenant.workspace_id" in words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "the token is of another tenant or expired"),
        (403, "assign Log Analytics Reader"),
        (404, "check tenant.workspace_id"),
        (503, "check tenant.logs_endpoint"),
    ],
)
def test_each_refusal_of_the_workspace_has_its_own_remedy_and_no_table_repeats_it(
    status: int, words: str, ill: Start
) -> None:
    lab = ill(faults=({"match": "POST */query", "status": status, "times": 0},))
    found = told("workspace", "tables", url=lab.url, settings=hurried())
    assert [line[:2] for line in found] == [("workspace", "error"), ("tables", "skipped")]
    assert words in found[0][2]
    assert found[1][2].startswith("see workspace")


def test_a_table_that_the_identity_may_not_read_is_told_from_one_that_is_missing(ill: Start) -> None:
    reason = "'where' operator: Failed to resolve table or column expression named 'EmailEvents'"
    hidden = {"error": {"code": "BadArgumentError", "innererror": {"code": "SemanticError", "message": reason}}}
    lab = ill(
        "missing-table",
        faults=(
            {"match": "POST */query", "contains": "AuditLogs", "status": 403, "times": 0},
            {
                "match": "POST */query",
                "contains": "EmailEvents",
                "kind": "answer",
                "status": 400,
                "body": json.dumps(hidden),
                "times": 0,
            },
        ),
    )
    settings = {"tenant": {"workspace_resource_id": WORKSPACE}}
    found = {line[0]: line for line in told("tables", url=lab.url, settings=hurried(**settings))}
    assert found["AuditLogs"][1] == found["EmailEvents"][1] == "error"
    assert "may not be read, though the workspace may: table-level access" in found["AuditLogs"][2]
    assert "exists, and is hidden from the reading identity: table-level access" in found["EmailEvents"][2]
    assert "a role that includes this table" in found["EmailEvents"][2]
    assert "missing; read by" in found["UrlClickEvents"][2]


def test_a_table_that_takes_rows_in_and_shows_none_is_not_called_empty(ill: Start) -> None:
    columns = [{"name": "DataType", "type": "string"}]
    answer = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [["AuditLogs"], ["SigninLogs"]]}]}
    usage = {
        "match": "POST */query",
        "contains": "Usage |",
        "kind": "answer",
        "status": 200,
        "body": json.dumps(answer),
    }
    found = {line[0]: line for line in told("tables", url=ill(faults=(usage,)).url, settings=hurried())}
    assert found["AuditLogs"][1] == "warning"
    assert "rows arrived in the last 7d (Usage), and the reading identity sees none: row-level" in found["AuditLogs"][2]
    assert found["SigninLogs"][1] == "ok"
    assert "no row in 90d" in found["AADRiskyUsers"][2]


def test_every_table_that_a_query_reads_is_looked_at(tenant: str) -> None:
    found = {line[0]: line for line in told("tables", url=tenant)}
    assert set(found) == set(queries_by_table())
    assert {"SigninLogs", "EmailEvents", "ThreatIntelIndicators", "AuditLogs", "SecurityIncident"} <= set(found)
    assert [line for line in found.values() if line[1] != "ok"] == []
    assert "min old, Analytics plan" in found["SigninLogs"][2]
    # Nothing tells an empty table from one whose rows are hidden: never "empty" of what never had a row.
    assert "no row in 90d, Analytics plan: empty, or hidden from the reading identity" in found["AuditLogs"][2]


def test_a_table_that_is_missing_says_who_reads_it_and_how_it_is_connected(ill: Start) -> None:
    found = {line[0]: line for line in told("tables", url=ill("missing-table").url)}
    (essential, other) = found["AADNonInteractiveUserSignInLogs"], found["UrlClickEvents"]
    assert (essential[1], other[1]) == ("error", "warning")
    assert "hunt_redemptions" in essential[2]
    assert "send NonInteractiveUserSignInLogs" in essential[2]
    assert "find_clicks" in other[2]


def test_a_table_that_defender_has_is_no_loss(ill: Start, seed_variant: Variant) -> None:
    def move(head: dict[str, Any]) -> None:
        head["defender_tables"] = ["EmailEvents", "UrlClickEvents"]

    lab = ill(seed_variant(scenario=move))
    found = {line[0]: line for line in told("tables", url=lab.url)}
    assert found["EmailEvents"][1] == "ok"
    assert found["EmailEvents"][2].startswith("read in Defender XDR")
    assert found["UrlClickEvents"][1] == "ok"


def test_a_table_that_gets_no_rows_any_more_is_warned_about(ill: Start, seed_variant: Variant) -> None:
    def age(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["TimeGenerated"] = row["TimeGenerated"].replace("2026-01-15T", "2026-01-12T")

    def empty(rows: list[dict[str, Any]]) -> None:
        rows.clear()

    place = seed_variant(EmailEvents=age, SigninLogs=empty)
    found = {line[0]: line for line in told("tables", url=ill(place).url)}
    assert found["EmailEvents"][1] == "warning"
    assert "newest row 3 d old" in found["EmailEvents"][2]
    assert "has it stopped?" in found["EmailEvents"][2]
    assert found["SigninLogs"][1] == "warning"
    assert "empty, or hidden from the reading identity -> Entra ID, Diagnostic settings" in found["SigninLogs"][2]


def test_a_protected_table_is_warned_about_and_its_silence_is_no_answer(ill: Start) -> None:
    lab = ill(protected_tables=("EmailEvents",))
    found = {line[0]: line for line in told("tables", url=lab.url, settings={"tenant": {"workspace_resource_id": ""}})}
    assert "no row in 90d" in found["EmailEvents"][2]
    settings = {"tenant": {"workspace_resource_id": WORKSPACE}}
    found = {line[0]: line for line in told("tables", url=lab.url, settings=settings)}
    assert found["EmailEvents"][:2] == ("EmailEvents", "warning")
    assert "protected: rows that the reading identity may not read are left out" in found["EmailEvents"][2]


@pytest.mark.parametrize(
    ("workspace", "withheld", "plan"),
    [
        ("", (), "Basic or Auxiliary plan"),
        (WORKSPACE, (), "Basic plan"),
        (WORKSPACE, ("Log Analytics Reader",), "Basic or Auxiliary plan"),
    ],
    ids=["inferred", "azure says so", "azure does not say"],
)
def test_a_table_on_another_plan_is_warned_about(
    workspace: str, withheld: tuple[str, ...], plan: str, ill: Start
) -> None:
    lab = ill(basic_tables=("AADNonInteractiveUserSignInLogs",), withheld_permissions=withheld)
    settings = {"tenant": {"workspace_resource_id": workspace}}
    found = {line[0]: line for line in told("tables", url=lab.url, settings=settings)}
    assert found["AADNonInteractiveUserSignInLogs"][1] == "warning"
    assert f"present, {plan}: queries that join are refused" in found["AADNonInteractiveUserSignInLogs"][2]
    assert found["SigninLogs"][1] == "ok"


def test_a_licence_is_there(tenant: str) -> None:
    assert [line[:2] for line in told("Entra ID P2", url=tenant)] == [("Entra ID P2", "ok")]


def licences(**sku: Any) -> dict[str, Any]:
    plan = {"servicePlanName": "AAD_PREMIUM_P2", "provisioningStatus": "Success"}
    return {"id": "s1", "skuPartNumber": "EMSPREMIUM", "capabilityStatus": "Enabled", "servicePlans": [plan]} | sku


@pytest.mark.parametrize(
    "sku",
    [
        licences(capabilityStatus="Suspended"),
        licences(servicePlans=[{"servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success"}]),
        licences(servicePlans=[{"servicePlanName": "AAD_PREMIUM_P2", "provisioningStatus": "Disabled"}]),
    ],
)
def test_a_licence_that_is_not_in_force_is_none(sku: dict[str, Any], ill: Start, seed_variant: Variant) -> None:
    place = seed_variant(directory=lambda directory: directory.update(subscribedSkus=[sku]))
    ((_, status, words),) = told("Entra ID P2", url=ill(place).url)
    assert status == "warning"
    assert "risk is a gap in every case" in words


def test_what_may_not_be_read_is_skipped_and_says_what_to_grant(ill: Start) -> None:
    lab = ill(withheld_permissions=("LicenseAssignment.Read.All", "Directory.Read.All", "Policy.Read.All"))
    found = told("Entra ID P2", "device code flow", url=lab.url)
    assert [status for _, status, _ in found] == ["skipped", "skipped"]
    assert "grant LicenseAssignment.Read.All" in found[0][2]
    assert "grant Policy.Read.All" in found[1][2]


def test_hunting_answers(tenant: str) -> None:
    found = told("Defender hunting", url=tenant)
    assert [line[:2] for line in found] == [("Defender hunting", "ok"), ("EntraIdSignInEvents", "ok")]


def test_hunting_that_is_refused_names_the_permission(ill: Start) -> None:
    ((_, status, words),) = told("Defender hunting", url=ill(withheld_permissions=("ThreatHunting.Read.All",)).url)
    assert status == "error"
    assert "grant ThreatHunting.Read.All" in words


def test_hunting_without_its_table_is_warned_about(ill: Start, seed_variant: Variant) -> None:
    place = seed_variant(scenario=lambda head: head.update(absent_tables=["EntraIdSignInEvents"]))
    found = told("Defender hunting", url=ill(place).url)
    assert [line[:2] for line in found] == [("Defender hunting", "ok"), ("EntraIdSignInEvents", "warning")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"hunt": {"defender": False}}, "off (hunt.defender)"), ({"tenant": {"cloud": "china"}}, "china cloud")],
)
def test_hunting_that_is_not_wanted_or_not_there_is_skipped(settings: Any, words: str, tenant: str) -> None:
    ((_, status, said),) = told("Defender hunting", url=tenant, settings=settings)
    assert status == "skipped"
    assert words in said


def test_a_policy_that_blocks_device_codes_is_ok(ill: Start, seed_variant: Variant) -> None:
    place = seed_variant(directory=lambda directory: directory.update(conditionalAccessPolicies=[block()]))
    ((_, status, words),) = told("device code flow", url=ill(place).url)
    assert status == "ok"
    assert '"Block device code", but for 2 excluded users, groups or roles' in words


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ([], "no Conditional Access policy blocks it -> block it in Entra ID"),
        ([block(state="disabled")], "no Conditional Access policy blocks it"),
        (
            [block(state="enabledForReportingButNotEnforced")],
            'only reported: "Block device code" -> turn that policy on',
        ),
        (
            [block(grantControls={"operator": "OR", "builtInControls": ["mfa"]})],
            "no Conditional Access policy blocks it",
        ),
        ([block(grantControls=None)], "no Conditional Access policy blocks it"),
        ([block(conditions={"users": {"includeUsers": ["All"]}})], "no Conditional Access policy blocks it"),
        (
            [block(conditions=block()["conditions"] | {"users": {"includeGroups": ["g1"]}})],
            '"Block device code" blocks it for some users or resources only',
        ),
    ],
)
def test_a_policy_that_does_not_block_device_codes_for_all_is_warned_about(
    policies: list[Any], words: str, ill: Start, seed_variant: Variant
) -> None:
    place = seed_variant(directory=lambda directory: directory.update(conditionalAccessPolicies=policies))
    ((_, status, said),) = told("device code flow", url=ill(place).url)
    assert status == "warning"
    assert words in said


def test_nobody_who_is_listed_has_to_be_looked_up(tenant: str) -> None:
    assert {line[1] for line in told("accounts", "groups", "roles", url=tenant)} == {"skipped"}


def test_whoever_the_policy_names_exists(ill: Start, seed_variant: Variant) -> None:
    place = seed_variant(directory=lambda directory: directory.update(groups=[{"id": GROUP, "displayName": "Rooms"}]))
    rules = policy(
        accounts__break_glass=(VICTIM,),
        accounts__device_groups=(GROUP,),
        ladder__protected__accounts=(VICTIM.upper(),),
        ladder__protected__roles=(GLOBAL_ADMIN,),
    )
    found = told("accounts", "groups", "roles", "break-glass accounts", url=ill(place).url, rules=rules)
    assert {line[:2] for line in found} == {
        ("accounts", "ok"), ("groups", "ok"), ("roles", "ok"), ("break-glass accounts", "ok"),
    }  # fmt: skip
    assert "all 1 exist: Rooms" in " ".join(line[2] for line in found)


def test_whoever_does_not_exist_is_named_with_the_key(tenant: str) -> None:
    rules = policy(
        accounts__break_glass=(VICTIM, NOBODY),
        ladder__protected__groups=(NOBODY,),
        ladder__protected__roles=(NOBODY,),
    )
    found = {line[0]: line for line in told("accounts", "groups", "roles", url=tenant, rules=rules)}
    assert {line[1] for line in found.values()} == {"error"}
    assert f"accounts.break_glass: {NOBODY} is no account of the tenant" in found["accounts"][2]
    assert f"ladder.protected.groups: {NOBODY} is none of the tenant's groups" in found["groups"][2]
    assert f"ladder.protected.roles: {NOBODY} is none of the tenant's roles" in found["roles"][2]


def test_twenty_accounts_are_asked_for_in_two_requests(ill: Start) -> None:
    lab = ill()
    ids = tuple(NOBODY[:-2] + f"{number:02}" for number in range(20))
    found = examined("accounts", url=lab.url, rules=policy(accounts__rooms=ids))
    assert len(found) == 20
    asked = [entry for entry in lab.get("/_lab/requests") if entry["path"] == "/v1.0/users"]
    assert len(asked) == 2
