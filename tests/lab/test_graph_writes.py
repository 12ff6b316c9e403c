"""What the Graph face changes, and what it reads for those who change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from respond.errors import UsageError
from respond.lab import scenario
from respond.lab.graph_methods import TYPES
from tests.lab.running_lab import USER, RunningLab, running

# the SDK's generated modules warn about their own classes while they are imported
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

Start = Callable[..., RunningLab]
Story = Callable[..., Path]

ADMIN = "00000000-0000-4000-8000-0000000000a1"
READER = "00000000-0000-4000-8000-0000000000a2"
KEEPER = "00000000-0000-4000-8000-0000000000a3"
GONE = "00000000-0000-4000-8000-0000000000a4"
INNER, OUTER, OTHER = (f"00000000-0000-4000-8000-0000000000b{number}" for number in (1, 2, 3))
CLIENT, RESOURCE = "b25985a8-9d2b-4fde-9fa7-6c4e43a8ddec", "a3efc889-f1b7-4532-9e01-91e32d1039f4"
RULES = f"/v1.0/users/{USER}/mailFolders/inbox/messageRules"
METHODS = f"/v1.0/users/{USER}/authentication"
RISKY = "/v1.0/identityProtection/riskyUsers"


def method(kind: str) -> dict[str, str]:
    return {"@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod", "id": f"{kind}-1"}


DIRECTORY: dict[str, Any] = {
    "users": [
        {"id": USER, "userPrincipalName": "user@contoso.com", "accountEnabled": True,
         "signInSessionsValidFromDateTime": "2026-01-02T00:00:00Z"},
        {"id": ADMIN, "userPrincipalName": "admin@contoso.com", "accountEnabled": True},
        {"id": READER, "userPrincipalName": "reader@contoso.com", "accountEnabled": True},
        {"id": KEEPER, "userPrincipalName": "keeper@contoso.com", "accountEnabled": True},
        {"id": GONE, "userPrincipalName": "gone@contoso.com", "deletedDateTime": "2026-01-10T00:00:00Z"},
    ],
    "groups": [
        {"id": INNER, "displayName": "Inner", "members": [USER, ADMIN]},
        {"id": OUTER, "displayName": "Outer", "members": [INNER]},
        {"id": OTHER, "displayName": "Keepers", "members": [KEEPER], "isAssignableToRole": True},
    ],
    "roleAssignments": [
        {"principalId": ADMIN, "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10"},
        {"principalId": READER, "roleDefinitionId": "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"},
    ],
    "devices": [{"id": "object-1", "deviceId": "device-1", "accountEnabled": True, "registeredOwners": [USER]}],
    "servicePrincipals": [{"id": CLIENT, "appId": "app-1", "displayName": "Contoso Mail"}],
    "oauth2PermissionGrants": [
        {"id": "g1", "clientId": CLIENT, "consentType": "Principal", "principalId": USER, "resourceId": RESOURCE,
         "scope": "Mail.Read"},
    ],
    "messageRules": {USER: [{"id": "r1", "displayName": "."}, {"id": "R1", "isEnabled": False, "isReadOnly": True}]},
    "authenticationMethods": {USER: [method(kind) for kind in TYPES]},
}  # fmt: skip


@pytest.fixture
def lab(start: Start, story: Story) -> RunningLab:
    return start(story(directory=DIRECTORY))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """For requests that change nothing."""
    import json

    folder = tmp_path_factory.mktemp("writes")
    (folder / "scenario.json").write_text(json.dumps({"title": "t", "now": "2026-01-15T09:40:00Z"}))
    (folder / "directory.json").write_text(json.dumps(DIRECTORY))
    with running(folder, tmp_path_factory.mktemp("writes-state")) as found:
        yield found


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_account_is_disabled_and_enabled_and_its_cut_off_stays(lab: RunningLab) -> None:
    path = f"/v1.0/users/{USER}"
    question = f"{path}?$select=accountEnabled,signInSessionsValidFromDateTime"
    before = lab.get(question)
    answer = lab.request("PATCH", "/v1.0/users/user@contoso.com", body={"accountEnabled": False})
    assert (answer.status_code, answer.content) == (204, b"")
    assert lab.get(question) == before | {"accountEnabled": False}
    assert lab.request("PATCH", path, body={"accountEnabled": True}).status_code == 204
    assert lab.get(question) == before
    writes = lab.get("/_lab/writes")
    assert [(write["method"], write["status"]) for write in writes] == [("PATCH", 204)] * 2
    assert writes[0]["body"].replace(" ", "") == '{"accountEnabled":false}'


@pytest.mark.parametrize(("user", "status"), [(ADMIN, 403), (KEEPER, 403), (READER, 204)])
def test_an_account_with_a_privileged_role_is_out_of_reach(lab: RunningLab, user: str, status: int) -> None:
    answer = lab.request("PATCH", f"/v1.0/users/{user}", body={"accountEnabled": False})
    assert answer.status_code == status
    assert lab.get(f"/v1.0/users/{user}?$select=accountEnabled")["accountEnabled"] is (status == 403)
    if status == 403:
        assert code(answer) == (403, "Authorization_RequestDenied")


@pytest.mark.parametrize("withheld", ["User.EnableDisableAccount.All", "User.Read.All"])
def test_disabling_needs_both_permissions(start: Start, story: Story, withheld: str) -> None:
    lab = start(story(directory=DIRECTORY), withheld_permissions=(withheld,))
    answer = lab.request("PATCH", f"/v1.0/users/{USER}", body={"accountEnabled": False})
    assert code(answer) == (403, "Authorization_RequestDenied")
    assert [write["status"] for write in lab.get("/_lab/writes")] == [403]


async def test_the_sdk_can_write(lab: RunningLab) -> None:
    from msgraph.generated.models.device import Device
    from msgraph.generated.models.message_rule import MessageRule
    from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
    from msgraph.generated.models.user import User

    async with lab.graph() as graph:
        await graph.users.by_user_id(USER).patch(User(account_enabled=False))
        await graph.devices.by_device_id("object-1").patch(Device(account_enabled=False))
        await graph.devices_with_device_id("device-1").patch(Device(account_enabled=True))
        rules = graph.users.by_user_id(USER).mail_folders.by_mail_folder_id("inbox").message_rules
        rule = await rules.by_message_rule_id("r1").patch(MessageRule(is_enabled=False))
        await (
            graph.users.by_user_id(USER)
            .authentication.fido2_methods.by_fido2_authentication_method_id("fido2-1")
            .delete()
        )
        grants = graph.oauth2_permission_grants
        await grants.by_o_auth2_permission_grant_id("g1").delete()
        made = await grants.post(
            OAuth2PermissionGrant(
                client_id=CLIENT, resource_id=RESOURCE, principal_id=USER, consent_type="Principal", scope="Mail.Read"
            )
        )
    assert (rule.is_enabled, rule.sequence) == (False, 1)
    assert lab.get(f"/v1.0/oauth2PermissionGrants/{made.id}")["scope"] == "Mail.Read"
    assert [write["status"] for write in lab.get("/_lab/writes")] == [204, 204, 204, 200, 204, 204, 201]


def test_a_device_is_disabled_by_object_id_or_by_its_other_key(lab: RunningLab) -> None:
    for path, is_enabled in (("devices/object-1", False), ("devices(deviceId='device-1')", True)):
        assert lab.request("PATCH", f"/v1.0/{path}", body={"accountEnabled": is_enabled}).status_code == 204
        device = lab.get(f"/v1.0/{path}")
        assert (device["id"], device["accountEnabled"]) == ("object-1", is_enabled)
        assert "registeredOwners" not in device


EXTERNAL = f"{METHODS}/externalAuthenticationMethods/external-1/$ref"


def test_a_method_is_removed_under_its_own_type(lab: RunningLab) -> None:
    left = list(TYPES)
    for kind in TYPES:
        wrong = "email" if kind == "phone" else "phone"
        # A method of another provider's is a reference, and deleted as one.
        path = EXTERNAL if kind == "external" else f"{METHODS}/{kind}Methods/{kind}-1"
        assert lab.request("DELETE", f"{METHODS}/{wrong}Methods/{kind}-1").status_code == 404
        assert lab.request("DELETE", path).status_code == 204
        left.remove(kind)
        assert [item["id"] for item in lab.get(f"{METHODS}/methods")["value"]] == [f"{other}-1" for other in left]
        assert lab.request("DELETE", path).status_code == 404


def test_a_mobile_number_goes_after_the_alternate_one(start: Start, story: Story) -> None:
    numbers = [method("phone") | {"id": kind, "phoneType": kind} for kind in ("mobile", "alternateMobile")]
    lab = start(story(directory=DIRECTORY | {"authenticationMethods": {USER: numbers}}))
    statuses = [
        lab.request("DELETE", f"{METHODS}/phoneMethods/{kind}").status_code
        for kind in ("mobile", "alternateMobile", "mobile")
    ]
    assert statuses == [400, 204, 204]


def test_a_grant_is_made_once_and_has_its_id_again(lab: RunningLab) -> None:
    grants = "/v1.0/oauth2PermissionGrants"
    body = {"clientId": CLIENT, "consentType": "Principal", "principalId": USER, "resourceId": RESOURCE, "scope": "a b"}
    assert code(lab.request("POST", grants, body=body)) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert lab.request("DELETE", f"{grants}/g1").status_code == 204
    assert lab.request("GET", f"{grants}/g1").status_code == 404
    made = lab.request("POST", grants, body=body)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in body} == body
    assert lab.get(f"/v1.0/users/{USER}/oauth2PermissionGrants")["value"][0]["id"] == made.json()["id"]
    for_all = lab.request("POST", grants, body=body | {"consentType": "AllPrincipals", "principalId": None})
    # the form of an id that Entra gave such a grant
    assert for_all.json()["id"] == "qIVZsiud3k-fp2xOQ6jd7InI76O38TJFngGR4y0QOfQ"
    assert lab.request("DELETE", f"{grants}/{made.json()['id']}").status_code == 204
    assert lab.request("POST", grants, body=body).json()["id"] == made.json()["id"]


def test_an_application_has_a_name(still: RunningLab) -> None:
    for path in (f"servicePrincipals/{CLIENT}", "servicePrincipals(appId='app-1')"):
        assert still.get(f"/v1.0/{path}?$select=displayName")["displayName"] == "Contoso Mail"


def test_a_rule_is_disabled_and_deleted(lab: RunningLab) -> None:
    assert lab.get(RULES)["value"][0] == {
        "id": "r1", "displayName": ".", "sequence": 1, "isEnabled": True, "hasError": False, "isReadOnly": False,
    }  # fmt: skip
    changed = lab.request("PATCH", f"{RULES}/r1", body={"isEnabled": False, "displayName": "off"})
    assert changed.status_code == 200
    assert (changed.json()["isEnabled"], changed.json()["displayName"]) == (False, "off")
    assert lab.get(f"{RULES}/r1")["isEnabled"] is False
    assert lab.request("DELETE", f"{RULES}/r1").status_code == 204
    assert [rule["id"] for rule in lab.get(RULES)["value"]] == ["R1"]
    assert code(lab.request("DELETE", f"{RULES}/r1")) == (404, "ErrorItemNotFound")


def test_a_user_is_confirmed_compromised_and_dismissed(lab: RunningLab) -> None:
    before = datetime.now(UTC).isoformat(timespec="seconds")[:19]
    users = {"userIds": [USER, ADMIN]}
    assert lab.request("POST", f"{RISKY}/confirmCompromised", body=users).status_code == 204
    risky = lab.get(f"{RISKY}/{USER}")
    assert (risky["riskLevel"], risky["riskState"]) == ("high", "confirmedCompromised")
    assert risky["riskDetail"] == "adminConfirmedUserCompromised"
    assert risky["riskLastUpdatedDateTime"] >= before
    assert len(lab.get(RISKY)["value"]) == 2
    assert lab.request("POST", f"{RISKY}/dismiss", body=users).status_code == 204
    risky = lab.get(f"{RISKY}/{ADMIN}")
    assert (risky["riskLevel"], risky["riskState"]) == ("none", "dismissed")
    signs = lab.request("POST", "/v1.0/auditLogs/signIns/confirmCompromised", body={"requestIds": ["a"]})
    assert signs.status_code == 204
    assert [write["status"] for write in lab.get("/_lab/writes")] == [204] * 3


def test_one_unknown_user_and_nobody_is_confirmed(still: RunningLab) -> None:
    answer = still.request("POST", f"{RISKY}/confirmCompromised", body={"userIds": [USER, "nobody"]})
    assert code(answer) == (404, "Request_ResourceNotFound")
    assert still.get(RISKY)["value"] == []


def test_identity_protection_may_have_its_limit(start: Start, story: Story) -> None:
    lab = start(story(directory=DIRECTORY), identity_protection_per_s=1)
    urls = ("/identityProtection/riskyUsers", f"/users/{USER}", f"/identityProtection/riskyUsers/{USER}")
    parts = [{"id": str(number), "method": "GET", "url": url} for number, url in enumerate(urls)]
    first, other, second = lab.request("POST", "/v1.0/$batch", body={"requests": parts}).json()["responses"]
    assert [first["status"], other["status"], second["status"]] == [200, 200, 429]
    assert second["body"]["error"]["code"] == "TooManyRequests"
    assert "retry-after" not in {name.lower() for name in second["headers"]}
    time.sleep(1)
    assert lab.request("GET", RISKY).status_code == 200


def test_users_are_counted(still: RunningLab) -> None:
    answer = still.request("GET", "/v1.0/users/$count", ConsistencyLevel="eventual")
    assert (answer.text, answer.headers["content-type"]) == ("4", "text/plain")
    chosen = f"/v1.0/users/$count?$filter=id in ('{USER}', '{GONE}')"
    assert still.request("GET", chosen, ConsistencyLevel="eventual").text == "1"
    assert code(still.request("GET", "/v1.0/users/$count")) == (400, "Request_BadRequest")


def test_membership_is_checked_through_groups(still: RunningLab) -> None:
    path = f"/v1.0/users/{USER}/checkMemberGroups"
    answer = still.request("POST", path, body={"groupIds": [OUTER, OTHER, "none", INNER]})
    assert answer.json()["value"] == [OUTER, INNER]
    group = still.get(f"/v1.0/groups/{OUTER}")
    assert (group["displayName"], "members" in group) == ("Outer", False)
    assert still.request("POST", path, body={"groupIds": [INNER] * 21}).status_code == 400


def test_a_deleted_user_is_not_found(still: RunningLab) -> None:
    for path in (GONE, "gone@contoso.com", f"{GONE}/registeredDevices", f"{GONE}/authentication/methods"):
        assert code(still.request("GET", f"/v1.0/users/{path}")) == (404, "Request_ResourceNotFound")
    assert GONE not in [user["id"] for user in still.get("/v1.0/users")["value"]]
    body = {"accountEnabled": False}
    assert still.request("PATCH", f"/v1.0/users/{GONE}", body=body).status_code == 404
    assert GONE in [user["id"] for user in still.get("/_lab/directory")["users"]]


OFF = {"accountEnabled": False}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1.0/users/nobody", OFF),
        ("GET", "/v1.0/devices/device-1", None),
        ("PATCH", "/v1.0/devices/device-1", OFF),
        ("PATCH", "/v1.0/devices(deviceId='object-1')", OFF),
        ("GET", "/v1.0/groups/none", None),
        ("GET", "/v1.0/servicePrincipals/app-1", None),
        ("GET", "/v1.0/oauth2PermissionGrants/none", None),
        ("DELETE", "/v1.0/oauth2PermissionGrants/none", None),
        ("POST", "/v1.0/users/nobody/checkMemberGroups", {"groupIds": [INNER]}),
        ("DELETE", f"/v1.0/users/{ADMIN}/authentication/phoneMethods/phone-1", None),
        ("DELETE", f"{METHODS}/phoneMethods/none", None),
        ("GET", f"{RULES}/none", None),
        ("PATCH", f"{RULES}/none", {"isEnabled": False}),
        ("DELETE", f"/v1.0/users/{ADMIN}/mailFolders/inbox/messageRules/r1", None),
        ("POST", f"{RISKY}/dismiss", {"userIds": ["nobody"]}),
    ],
)
def test_what_is_not_there_is_a_404(still: RunningLab, method: str, path: str, body: Any) -> None:
    before = still.get("/_lab/directory")
    assert still.request(method, path, body=body).status_code == 404
    assert still.get("/_lab/directory") == before


GRANT = {"clientId": CLIENT, "consentType": "Principal", "principalId": ADMIN, "resourceId": RESOURCE, "scope": "a"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"/v1.0/users/{USER}", None),
        ("PATCH", f"/v1.0/users/{USER}", []),
        ("PATCH", f"/v1.0/users/{USER}", {}),
        ("PATCH", f"/v1.0/users/{USER}", {"accountEnabled": "false"}),
        ("PATCH", f"/v1.0/users/{USER}", OFF | {"department": "x"}),
        ("PATCH", "/v1.0/devices/object-1", {"accountEnabled": 0}),
        ("PATCH", f"{RULES}/r1", {"hasError": True}),
        ("PATCH", f"{RULES}/r1", {"isEnabled": "no"}),
        ("PATCH", f"{RULES}/r1", {"sequence": True}),
        ("POST", f"{RISKY}/confirmCompromised", {"userIds": []}),
        ("POST", f"{RISKY}/confirmCompromised", {"userIds": USER}),
        ("POST", f"{RISKY}/dismiss", {"userIds": [USER] * 61}),
        ("POST", "/v1.0/auditLogs/signIns/confirmCompromised", {"requestIds": [1]}),
        ("POST", f"/v1.0/users/{USER}/checkMemberGroups", {}),
        ("POST", "/v1.0/oauth2PermissionGrants", GRANT | {"scope": 5}),
        ("POST", "/v1.0/oauth2PermissionGrants", GRANT | {"principalId": None}),
        ("POST", "/v1.0/oauth2PermissionGrants", GRANT | {"principalId": ["x"]}),
        ("POST", "/v1.0/oauth2PermissionGrants", GRANT | {"consentType": "AllPrincipals"}),
        ("POST", "/v1.0/oauth2PermissionGrants", GRANT | {"expires": "never"}),
    ],
)
def test_what_makes_no_sense_is_a_400(still: RunningLab, method: str, path: str, body: Any) -> None:
    before = still.get("/_lab/directory")
    assert still.request(method, path, body=body).status_code == 400
    assert still.get("/_lab/directory") == before


def test_a_read_only_rule_stays(still: RunningLab) -> None:
    assert still.request("DELETE", f"{RULES}/R1").status_code == 403
    assert still.request("PATCH", f"{RULES}/R1", body={"isEnabled": True}).status_code == 403
    assert still.get(f"{RULES}/R1")["isEnabled"] is False


def test_every_change_outlives_the_process(story: Story, tmp_path: Path) -> None:
    data = story(directory=DIRECTORY)
    with running(data, tmp_path / "state") as first:
        first.request("PATCH", f"/v1.0/users/{USER}", body=OFF)
        first.request("PATCH", "/v1.0/devices/object-1", body=OFF)
        first.request("DELETE", f"{METHODS}/phoneMethods/phone-1")
        first.request("DELETE", "/v1.0/oauth2PermissionGrants/g1")
        first.request("DELETE", f"{RULES}/r1")
        first.request("POST", f"{RISKY}/confirmCompromised", body={"userIds": [USER]})
        changed = first.get("/_lab/directory")
    with running(data, tmp_path / "state") as second:
        assert second.get("/_lab/directory") == changed
        assert len(second.get("/_lab/writes")) == 6
    assert changed["users"][0]["accountEnabled"] is False
    assert changed["devices"][0]["accountEnabled"] is False
    assert len(changed["authenticationMethods"][USER]) == len(TYPES) - 1
    assert changed["oauth2PermissionGrants"] == []
    assert [rule["id"] for rule in changed["messageRules"][USER]] == ["R1"]
    assert changed["riskyUsers"][0]["riskLevel"] == "high"


def test_a_batch_can_write(lab: RunningLab) -> None:
    parts = [
        {"id": "1", "method": "PATCH", "url": f"/users/{USER}", "body": OFF},
        {"id": "2", "method": "PATCH", "url": "/users/nobody", "body": OFF},
    ]
    answer = lab.request("POST", "/v1.0/$batch", body={"requests": parts}).json()
    assert [(part["status"], "body" in part) for part in answer["responses"]] == [(204, False), (404, True)]


DEVICE = {"id": "object-2", "deviceId": "device-2", "registrationDateTime": "now", "registeredOwners": [USER]}
ON_REVOKE = {"on": "post */revokesigninsessions", "add": {"devices": [DEVICE]}}


def revoke(lab: RunningLab, status: int = 200) -> None:
    assert lab.request("POST", f"/v1.0/users/{USER}/revokeSignInSessions").status_code == status


def devices(lab: RunningLab) -> list[str]:
    return [device["id"] for device in lab.get(f"/v1.0/users/{USER}/registeredDevices")["value"]]


def test_something_happens_after_a_write_and_once(story: Story, tmp_path: Path) -> None:
    rule = {"id": "r2", "createdDateTime": "2026-01-15T09:40:00Z"}
    happens = [ON_REVOKE, {"on": "POST *", "add": {"messageRules": {USER: [rule]}}}]
    data = story(directory=DIRECTORY, happens=happens)
    with running(data, tmp_path / "state") as first:
        assert devices(first) == ["object-1"]
        before = datetime.now(UTC)
        revoke(first)
        assert devices(first) == ["object-1", "object-2"]
        registered = first.get("/v1.0/devices/object-2")["registrationDateTime"]
        assert before.replace(microsecond=0) <= datetime.fromisoformat(registered) <= datetime.now(UTC)
        moved = first.get(f"{RULES}/r2")["createdDateTime"]
        assert abs((datetime.fromisoformat(moved) - before).total_seconds()) < 60
        assert first.request("PATCH", "/v1.0/devices/object-2", body=OFF).status_code == 204
        assert first.request("DELETE", f"{RULES}/r2").status_code == 204
    with running(data, tmp_path / "state") as second:
        revoke(second)
        assert second.get("/v1.0/devices/object-2")["accountEnabled"] is False
        assert second.request("GET", f"{RULES}/r2").status_code == 404


def test_it_happens_later_and_as_often_as_the_story_says(start: Start, story: Story) -> None:
    again = {"on": "DELETE */messageRules/r1", "times": 2, "add": {"messageRules": {USER: [{"id": "r1"}]}}}
    lab = start(story(directory=DIRECTORY, happens=[ON_REVOKE | {"after": "400ms"}, again]))
    revoke(lab)
    assert devices(lab) == ["object-1"]
    found = []
    for _ in range(3):
        lab.request("DELETE", f"{RULES}/r1")
        found.append([rule["id"] for rule in lab.get(RULES)["value"]])
    assert found == [["R1", "r1"], ["R1", "r1"], ["R1"]]
    time.sleep(0.4)
    assert devices(lab) == ["object-1", "object-2"]


def test_a_refused_or_lost_write_counts(start: Start, story: Story) -> None:
    fault = {"match": "POST */revokeSignInSessions", "status": 503}
    lab = start(story(directory=DIRECTORY, happens=[ON_REVOKE]), faults=(fault,))
    revoke(lab, 503)
    assert devices(lab) == ["object-1", "object-2"]


def test_a_user_can_be_deleted_meanwhile(start: Start, story: Story) -> None:
    gone = {"id": USER, "userPrincipalName": "user@contoso.com", "deletedDateTime": "now"}
    lab = start(story(directory=DIRECTORY, happens=[{"on": "POST *", "add": {"users": [gone]}}]))
    revoke(lab)
    revoke(lab, 404)


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        ({}, "must be a list"),
        ([5], "[0] must be an object"),
        ([{"add": {}}], "[0] needs 'on'"),
        ([{"on": "POST", "add": {}}], "[0] needs 'on'"),
        ([{"on": "POST *"}], "[0].add: must be a JSON object"),
        ([ON_REVOKE | {"at": "now"}], "unknown key 'at'"),
        ([ON_REVOKE | {"times": 0}], "[0].times must be a number from 1"),
        ([ON_REVOKE | {"after": "soon"}], "[0].after: 'soon' is not a duration"),
        ([ON_REVOKE | {"add": {"device": []}}], "[0].add: unknown collection 'device'"),
        ([ON_REVOKE | {"add": {"devices": [{"id": "x", "aDateTime": "then"}]}}], "devices[0].aDateTime must be"),
    ],
)
def test_happenings_that_make_no_sense_are_refused(story: Story, happens: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario.read(story(happens=happens))
    assert "happens.json" in caught.value.message
    assert words in caught.value.message
