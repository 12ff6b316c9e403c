"""The Graph face, asked by the real SDK where the SDK can ask it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from respond.lab.graph_routes import ROUTES, least_permissions
from tests.lab.running_lab import USER, RunningLab, running, token

# the SDK's generated modules warn about their own classes while they are imported
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

Start = Callable[..., RunningLab]
Story = Callable[..., Path]

GUEST = "00000000-0000-4000-8000-00000000000a"
DOLLAR = "00000000-0000-4000-8000-00000000000d"
GROUP, OUTER = "00000000-0000-4000-8000-0000000000b1", "00000000-0000-4000-8000-0000000000b2"
ROLE = "62e90394-69f5-4237-9190-012177145e10"
DIRECTORY: dict[str, Any] = {
    "users": [
        {
            "id": USER,
            "userPrincipalName": "o'brien@contoso.com",
            "accountEnabled": True,
            "mail": "ob@contoso.com",
            "proxyAddresses": ["SMTP:ob@contoso.com", "smtp:old'name@contoso.com"],
            "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-4",
            "onPremisesSamAccountName": "ob",
        },
        {"id": DOLLAR, "userPrincipalName": "$dollar@contoso.com", "mail": "dollar@contoso.com"},
        {"id": GUEST, "userPrincipalName": "ann_example.com#EXT#@contoso.com", "userType": "Guest"},
    ],
    "groups": [
        {"id": GROUP, "displayName": "Inner", "members": [USER]},
        {"id": OUTER, "displayName": "Outer", "isAssignableToRole": True, "members": [GROUP]},
        {"id": "00000000-0000-4000-8000-0000000000b3", "displayName": "Other", "members": [GUEST]},
    ],
    "roleAssignments": [
        {
            "id": "as1",
            "principalId": OUTER,
            "roleDefinitionId": ROLE,
            "roleDefinitionName": "Global Administrator",
        }
    ],
    "applications": [{"id": "o1", "appId": "a1", "displayName": "Contoso Mail"}],
    "devices": [
        {"id": "d1", "deviceId": "D1", "displayName": "LAPTOP", "registeredOwners": [USER], "accountEnabled": True}
    ],
    "servicePrincipals": [{"id": "s1", "appId": "a1", "displayName": "Contoso Mail"}],
    "oauth2PermissionGrants": [
        {"id": "g1", "principalId": USER, "consentType": "Principal", "scope": "Mail.Read"},
        {"id": "g2", "principalId": None, "consentType": "AllPrincipals", "scope": "User.Read"},
    ],
    "riskyUsers": [
        {"id": USER, "riskLevel": "high", "riskState": "atRisk", "riskLastUpdatedDateTime": "2026-01-15T09:25:30Z"}
    ],
    "messageRules": {USER: [{"id": "r1", "displayName": "hide", "isEnabled": True}]},
    "authenticationMethods": {
        USER: [
            {
                "@odata.type": "#microsoft.graph.phoneAuthenticationMethod",
                "id": "p1",
                "createdDateTime": "2026-01-15T09:39:00Z",
            }
        ]
    },
}
CLICK = {"TimeGenerated": "2026-01-15T09:21:58Z", "Url": "https://example.com", "AccountUpn": "o'brien@contoso.com"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import json

    folder = tmp_path_factory.mktemp("directory")
    (folder / "scenario.json").write_text(json.dumps({"title": "t", "now": "2026-01-15T09:40:00Z"}))
    (folder / "directory.json").write_text(json.dumps(DIRECTORY))
    (folder / "UrlClickEvents.jsonl").write_text(json.dumps(CLICK))
    with running(folder, tmp_path_factory.mktemp("directory-state")) as found:
        yield found


@pytest.mark.parametrize("name", [USER, USER.upper(), "o'brien@contoso.com", "O'Brien@CONTOSO.com"])
async def test_a_user_is_found_by_id_or_upn_in_any_case(lab: RunningLab, name: str) -> None:
    async with lab.graph() as graph:
        user = await graph.users.by_user_id(name).get()
    assert (user.id, user.account_enabled) == (USER, None)


async def test_only_selected_properties_come_back(lab: RunningLab) -> None:
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

    parameters = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=["id", "accountEnabled"])
    async with lab.graph() as graph:
        user = await graph.users.by_user_id(USER).get(RequestConfiguration(query_parameters=parameters))
    assert (user.id, user.account_enabled, user.user_principal_name) == (USER, True, None)


def test_eleven_properties_come_without_select(lab: RunningLab) -> None:
    user = lab.get(f"/v1.0/users/{USER}")
    assert len([name for name in user if not name.startswith("@")]) == 11
    assert user["@odata.context"].endswith("#users/$entity")
    assert lab.request("GET", f"/v1.0/users/{USER}?$select=id,nonsense").status_code == 400


@pytest.mark.parametrize(
    "path", ["users/ann_example.com%23EXT%23@contoso.com", "users('o''brien@contoso.com')", f"users('{USER}')"]
)
def test_odd_spellings_of_a_user_are_understood(lab: RunningLab, path: str) -> None:
    assert lab.get(f"/v1.0/{path}")["id"] in (USER, GUEST)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("userPrincipalName eq 'O''BRIEN@contoso.com'", [USER]),
        ("mail eq 'ob@contoso.com'", [USER]),
        (f"id eq '{GUEST}'", [GUEST]),
        ("mail eq ''", [GUEST]),
        ("proxyAddresses/any(p:p eq 'smtp:OLD''name@contoso.com')", [USER]),
        ("proxyAddresses/any(x:x eq 'smtp:ob@contoso.com')", []),
        ("mail eq 'no' or proxyAddresses/any(p:p eq 'no') or proxyAddresses/any(p:p eq 'SMTP:ob@contoso.com')", [USER]),
        (f"id eq '{GUEST}' or mail in ('ob@contoso.com', 'no')", [USER, GUEST]),
        ("onPremisesSecurityIdentifier eq 'S-1-5-21-1-2-3-4'", [USER]),
        ("userPrincipalName eq '$dollar@contoso.com'", [DOLLAR]),
    ],
)
def test_users_can_be_filtered(lab: RunningLab, text: str, found: list[str]) -> None:
    answer = lab.request("GET", "/v1.0/users?$filter=" + text.replace(" ", "%20"))
    assert [user["id"] for user in answer.json()["value"]] == found


@pytest.mark.parametrize(
    "text",
    [
        "startswith(displayName,'a')",
        "department eq 'x'",
        "mail eq 'a' and id eq 'b'",
        "mail eq 'a' or",
        "mail eq 'a' or x",
        "mail eq 'a",
        "mail eq a",
        "proxyAddresses/any(p:q eq 'a')",
        "",
    ],
)
def test_other_filters_are_refused(lab: RunningLab, text: str) -> None:
    answer = lab.request("GET", f"/v1.0/users?$filter={text}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")


def test_a_filter_that_needs_the_advanced_parameters_is_refused_without_them(lab: RunningLab) -> None:
    path = "/v1.0/users?$filter=onPremisesSamAccountName eq 'OB'"
    for target, headers in ((path, {}), (f"{path}&$count=true", {}), (path, {"ConsistencyLevel": "eventual"})):
        answer = lab.request("GET", target, **headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    answer = lab.request("GET", f"{path}&$count=true", ConsistencyLevel="eventual")
    assert [user["id"] for user in answer.json()["value"]] == [USER]


def test_a_name_that_begins_with_a_dollar_sign_has_no_place_in_the_path(lab: RunningLab) -> None:
    assert lab.request("GET", "/v1.0/users/$dollar@contoso.com").status_code == 400
    assert lab.get("/v1.0/users('$dollar@contoso.com')")["id"] == DOLLAR


@pytest.mark.parametrize("name", ["id", "userPrincipalName"])
def test_several_users_can_be_asked_for_at_once(lab: RunningLab, name: str) -> None:
    values = {"id": [USER.upper(), GUEST, "nobody"], "userPrincipalName": ["O''BRIEN@contoso.com"]}[name]
    listed = ",".join(f"'{value}'" for value in values)
    answer = lab.request("GET", f"/v1.0/users?$filter={name} in ({listed})&$select=id")
    assert [user["id"] for user in answer.json()["value"]] == [USER, GUEST][: len(values)]


def test_more_than_fifteen_users_at_once_are_refused(lab: RunningLab) -> None:
    listed = ", ".join(f"'{number}'" for number in range(16))
    assert lab.request("GET", f"/v1.0/users?$filter=id in ({listed[:-6]})").status_code == 200
    answer = lab.request("GET", f"/v1.0/users?$filter=id in ({listed})")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    assert answer.json()["error"]["message"].endswith("'OR' operators: 16. Max allowed: 15.")


async def test_a_missing_user_is_an_odata_error(lab: RunningLab) -> None:
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError

    async with lab.graph() as graph:
        with pytest.raises(ODataError) as caught:
            await graph.users.by_user_id("nobody@contoso.com").get()
    assert caught.value.response_status_code == 404
    assert caught.value.error.code == "Request_ResourceNotFound"
    assert caught.value.error.inner_error.request_id


async def test_what_hangs_on_a_user(lab: RunningLab) -> None:
    async with lab.graph() as graph:
        user = graph.users.by_user_id(USER)
        member_of = (await user.transitive_member_of.get()).value
        assert [item.odata_type.rpartition(".")[2] for item in member_of] == ["group", "group", "directoryRole"]
        assert (await user.transitive_member_of.graph_group.get()).value[1].is_assignable_to_role is True
        assert [item.display_name for item in (await user.registered_devices.get()).value] == ["LAPTOP"]
        assert [item.display_name for item in (await user.owned_devices.graph_device.get()).value] == ["LAPTOP"]
        assert [item.id for item in (await user.oauth2_permission_grants.get()).value] == ["g1"]
        rules = await user.mail_folders.by_mail_folder_id("inbox").message_rules.get()
        assert [item.display_name for item in rules.value] == ["hide"]
        (method,) = (await user.authentication.methods.get()).value
        assert method.odata_type == "#microsoft.graph.phoneAuthenticationMethod"
        assert datetime.now(UTC) - method.created_date_time < timedelta(minutes=3)


async def test_risk_and_roles(lab: RunningLab) -> None:
    async with lab.graph() as graph:
        risky = await graph.identity_protection.risky_users.by_risky_user_id(USER).get()
    assert (str(risky.risk_level.value), risky.user_principal_name) == ("high", "o'brien@contoso.com")
    found = lab.get(
        f"/v1.0/roleManagement/directory/roleAssignments?$filter=principalId eq '{OUTER}'&$expand=roleDefinition"
    )
    assert [item["roleDefinition"]["displayName"] for item in found["value"]] == ["Global Administrator"]
    assert lab.get(f"/v1.0/roleManagement/directory/roleAssignments?$filter=principalId eq '{USER}'")["value"] == []


def test_memberships_say_what_they_are_whatever_is_selected(lab: RunningLab) -> None:
    found = lab.get(f"/v1.0/users/{USER}/transitiveMemberOf?$select=displayName")["value"]
    assert [set(item) for item in found] == [{"@odata.type", "id", "displayName"}] * 3
    assert found[0] == {"@odata.type": "#microsoft.graph.group", "id": GROUP, "displayName": "Inner"}
    assert found[2]["displayName"] == "Global Administrator"


def test_risky_users_can_be_listed(lab: RunningLab) -> None:
    path = "/v1.0/identityProtection/riskyUsers"
    (risky,) = lab.get(path)["value"]
    assert (risky["id"], risky["riskLevel"], risky["userPrincipalName"]) == (USER, "high", "o'brien@contoso.com")
    assert lab.get(f"{path}?$filter=id eq '{USER}'")["value"] == [risky]
    assert lab.get(f"{path}?$filter=id eq '{GUEST}'")["value"] == []
    assert lab.request("GET", f"{path}?$filter=riskLevel eq 'high'").status_code == 400


async def test_advanced_hunting_has_timestamp(lab: RunningLab) -> None:
    from msgraph.generated.security.microsoft_graph_security_run_hunting_query import (
        run_hunting_query_post_request_body as bodies,
    )

    body = bodies.RunHuntingQueryPostRequestBody(query="UrlClickEvents | project Timestamp, Url", timespan="P1D")
    async with lab.graph() as graph:
        answer = await graph.security.microsoft_graph_security_run_hunting_query.post(body)
    assert [(column.name, column.type) for column in answer.schema] == [("Timestamp", "DateTime"), ("Url", "String")]
    assert [row.additional_data["Url"] for row in answer.results] == ["https://example.com"]


@pytest.mark.parametrize(
    ("body", "status"), [({"Query": "EmailEvents | where TimeGenerated > ago(1d)"}, 400), ({}, 400), ([], 400)]
)
def test_hunting_refuses(lab: RunningLab, body: Any, status: int) -> None:
    assert lab.request("POST", "/v1.0/security/runHuntingQuery", body=body).status_code == status


async def test_a_revoke_moves_the_cut_off_and_outlives_the_process(story: Story, tmp_path: Path) -> None:
    data = story(directory=DIRECTORY)
    before = datetime.now(UTC).replace(microsecond=0)
    with running(data, tmp_path / "state") as first:
        async with first.graph() as graph:
            answer = await graph.users.by_user_id(USER).revoke_sign_in_sessions.post()
        assert answer.value is True
    with running(data, tmp_path / "state") as second:
        user = second.get(f"/v1.0/users/{USER}?$select=signInSessionsValidFromDateTime")
        assert before <= datetime.fromisoformat(user["signInSessionsValidFromDateTime"]) <= datetime.now(UTC)
        (write,) = second.get("/_lab/writes")
    assert (write["method"], write["path"], write["status"]) == (
        "POST",
        f"/v1.0/users/{USER}/revokeSignInSessions",
        200,
    )


def test_a_cut_off_never_moves_backwards(start: Start, story: Story) -> None:
    later = "2026-01-15T10:40:00Z"
    users = [{**DIRECTORY["users"][0], "signInSessionsValidFromDateTime": later}]
    lab = start(story(directory={"users": users}))
    path = f"/v1.0/users/{USER}?$select=signInSessionsValidFromDateTime"
    before = lab.get(path)
    assert lab.request("POST", f"/v1.0/users/{USER}/revokeSignInSessions").status_code == 200
    assert lab.get(path) == before


def test_a_refused_write_is_in_the_journal_too(start: Start, story: Story) -> None:
    lab = start(story(directory=DIRECTORY))
    assert lab.request("POST", "/v1.0/users/nobody/revokeSignInSessions").status_code == 404
    assert [write["status"] for write in lab.get("/_lab/writes")] == [404]


IDS = {"user": USER, "group": GROUP, "device": "d1", "deviceId": "D1", "grant": "g1", "rule": "r1", "principal": "s1",
       "appId": "a1", "method": "p1", "role": ROLE, "object": "s1", "application": "o1",
       "assignment": "as1"}  # fmt: skip
READS = [route for route in ROUTES if not route.write or "evoke" in route.template]


def _example(template: str) -> str:
    path = "/v1.0/" + template.format(**IDS)
    return re.sub(r"\((\w+)\)/(\w+)", r"(\1='\2')", path)


def _body(template: str) -> Any:
    if "unHunting" in template:
        return {"Query": "UrlClickEvents | take 1"}
    return {"groupIds": [GROUP]} if template.endswith("checkMemberGroups") else None


@pytest.fixture(scope="module")
def poor_lab(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    withheld = tuple(least_permissions())
    with running(seed, tmp_path_factory.mktemp("poor-state"), withheld_permissions=withheld) as found:
        yield found


@pytest.mark.parametrize("route", READS, ids=lambda route: f"{route.method} {route.template}")
def test_every_route_answers_those_who_may_ask(lab: RunningLab, route: Any) -> None:
    path, body = _example(route.template), _body(route.template)
    assert lab.request(route.method, path, body=body, ConsistencyLevel="eventual").status_code == 200


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_no_route_answers_others(poor_lab: RunningLab, route: Any) -> None:
    answer = poor_lab.request(route.method, _example(route.template))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert answer.json()["error"]["message"] == "Insufficient privileges to complete the operation."


def test_a_batch_is_answered_part_by_part(start: Start, story: Story) -> None:
    lab = start(
        story(directory=DIRECTORY), faults=({"match": "GET */ownedDevices", "status": 429, "retry_after": "3"},)
    )
    parts = [
        {"id": "1", "method": "GET", "url": f"/users/{USER}?$select=id"},
        {"id": "2", "method": "GET", "url": f"/users/{USER}/ownedDevices"},
        {"id": "3", "method": "POST", "url": f"/users/{USER}/revokeSignInSessions", "dependsOn": ["1"]},
        {"id": "4", "method": "GET", "url": f"/users/{USER}", "dependsOn": ["2"]},
        {"id": "5", "method": "GET", "url": "/nonsense"},
    ]
    answer = lab.request("POST", "/v1.0/$batch", body={"requests": parts}).json()
    replies = {part["id"]: part for part in answer["responses"]}
    assert {name: part["status"] for name, part in replies.items()} == {
        "1": 200,
        "2": 429,
        "3": 200,
        "4": 424,
        "5": 400,
    }
    assert replies["1"]["body"]["id"] == USER
    assert replies["2"]["headers"]["Retry-After"] == "3"
    assert len(lab.get("/_lab/writes")) == 1


@pytest.mark.parametrize(
    "parts",
    [
        [{"id": str(n), "method": "GET", "url": "/users"} for n in range(21)],
        [{"id": "a", "method": "GET", "url": "/users"}, {"id": "A", "method": "GET", "url": "/users"}],
        [{"id": "a", "method": "GET", "url": "/users", "dependsOn": ["b"]}],
        [{"id": "a", "method": "GET"}],
        [],
        [5],
        "x",
    ],
)
def test_a_malformed_batch_is_a_400(lab: RunningLab, parts: Any) -> None:
    assert lab.request("POST", "/v1.0/$batch", body={"requests": parts}).status_code == 400


def test_a_token_is_needed_and_must_be_for_graph(lab: RunningLab) -> None:
    path = f"{lab.url}/v1.0/users/{USER}"
    logs = token(lab.url, "https://api.loganalytics.io/.default")
    for headers in (
        {},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": f"Bearer {logs}"},
        {"Authorization": "Basic x"},
    ):
        answer = httpx.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    "path",
    ["/v1.0", "/v1.0/", "/v1.0/users/a/b/c", "/v1.0/users/%ff%00", "/v1.0/users('x')/y", "/v1.0/users/" + "a" * 20_000],
)
def test_strange_paths_are_client_errors(lab: RunningLab, path: str) -> None:
    assert 400 <= lab.request("GET", path).status_code < 500


def test_a_wrong_method_is_a_405(lab: RunningLab) -> None:
    assert lab.request("DELETE", f"/v1.0/users/{USER}/ownedDevices").status_code == 405


def test_a_tenant_has_p2_and_no_policies_unless_its_story_says_otherwise(seed_lab: RunningLab) -> None:
    (sku,) = seed_lab.get("/v1.0/subscribedSkus?$select=skuPartNumber,servicePlans")["value"]
    assert set(sku) == {"skuPartNumber", "servicePlans"}
    assert [plan["servicePlanName"] for plan in sku["servicePlans"]] == ["AAD_PREMIUM_P2"]
    assert seed_lab.get("/v1.0/identity/conditionalAccess/policies")["value"] == []


def test_licences_and_policies_of_a_story_are_its_own(start: Start, story: Story) -> None:
    directory = {
        "subscribedSkus": [{"id": "s1", "skuPartNumber": "ENTERPRISEPACK", "servicePlans": []}],
        "conditionalAccessPolicies": [{"id": "p1", "displayName": "Block", "state": "enabled"}],
    }
    lab = start(story(directory=directory))
    assert [sku["skuPartNumber"] for sku in lab.get("/v1.0/subscribedSkus")["value"]] == ["ENTERPRISEPACK"]
    (policy,) = lab.get("/v1.0/identity/conditionalAccess/policies")["value"]
    assert (policy["state"], policy["grantControls"]) == ("enabled", None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("subscribedSkus?$filter=skuPartNumber eq 'x'", 400),
        ("identity/conditionalAccess/policies?$filter=state eq 'enabled'", 400),
        (f"roleManagement/directory/roleDefinitions/{ROLE}", 200),
        ("roleManagement/directory/roleDefinitions/00000000-0000-4000-8000-000000000000", 404),
    ],
)
def test_what_the_tenant_has_as_a_whole_is_asked_for_as_graph_takes_it(
    path: str, status: int, seed_lab: RunningLab
) -> None:
    assert seed_lab.request("GET", f"/v1.0/{path}").status_code == status
