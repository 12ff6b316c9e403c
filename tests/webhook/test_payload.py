"""Reading deliveries: the shapes that Sentinel sends, what may be odd about them, and what may not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.entities import accounts_of
from respond.errors import InvalidNotice
from respond.models import wire
from respond.models.notice import Named, Notice, Shape, Workspace
from respond.webhook.payload import delivery_key, read_notice
from respond.webhook.shapes import MOST_ACCOUNTS

FIXTURES = Path(__file__).parent / "fixtures"
SHAPES = ("incident", "alert", "entity", "run_button")
INCIDENT = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-soc/providers/Microsoft.OperationalInsights"
    "/workspaces/law-contoso/providers/Microsoft.SecurityInsights/Incidents/9a8b7c6d-0000-4000-8000-0000000000a1"
)
VICTIM = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
TENANT = "f0a1c2d3-1111-4222-8333-944445555666"
ALERT = "b2000000-0000-4000-8000-000000000002"
RULE = "c0de0000-0000-4000-8000-000000000001"


def sample(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def changed(edit: Callable[[Any], object]) -> Any:
    body = sample("incident")
    edit(body["object"]["properties"])
    return body


def invalid(body: object) -> InvalidNotice:
    with pytest.raises(InvalidNotice) as caught:
        read_notice(body)
    return caught.value


def test_an_incident_says_what_it_is_about() -> None:
    notice = read_notice(sample("incident"))
    assert (notice.shape, notice.event) == (Shape.INCIDENT, "Create")
    assert notice.event_id == "5f0d7c1e-2b8a-4f5e-9c3d-1a2b3c4d5e6f"
    assert (notice.incident, notice.incident_key) == (INCIDENT, INCIDENT.lower())
    assert notice.workspace == Workspace(
        subscription_id="11111111-2222-4333-8444-555555555555", resource_group="rg-soc", name="law-contoso"
    )
    assert notice.workspace_id == "1ab00000-0000-4000-8000-000000000001"
    assert (notice.number, notice.status, notice.severity) == (4711, "New", "Medium")
    assert notice.labels == ("phishing",)
    assert [rule.rpartition("/")[2] for rule in notice.rules] == [RULE]
    assert (notice.alerts_count, notice.alerts) == (2, ("B1000000-0000-4000-8000-000000000001", ALERT))
    assert notice.modified == datetime(2026, 1, 15, 9, 41, 7, 765432, tzinfo=UTC)
    assert (notice.entities_listed, notice.cut) == (True, False)


def test_accounts_and_mailboxes_are_who_an_incident_names() -> None:
    taro, ann, brian = read_notice(sample("incident")).accounts
    assert taro == Named(
        kind="account",
        object_id=VICTIM,
        tenant_id=TENANT,
        upn="target.user@contoso.com",
        name="山田 太郎",
        suffix="ad.contoso.com",
        label="target.user@contoso.com",
    )
    assert (ann.kind, ann.object_id) == ("mailbox", "0000aaaa-0000-4000-8000-000000000001")
    assert (ann.upn, ann.mail) == ("ann@contoso.com", "Ann.Example@contoso.com")
    assert (brian.address, brian.sid) == ("o'brien@contoso.com", "S-1-5-21-1-2-3-1104")


def test_the_window_is_what_the_queries_of_the_alerts_looked_at() -> None:
    notice = read_notice(sample("incident"))
    assert notice.window_start == datetime(2026, 1, 14, 9, 40, tzinfo=UTC)
    # the second alert does not say what its query looked at
    assert notice.window_end == datetime(2026, 1, 15, 9, 45, tzinfo=UTC)


def test_without_alerts_the_window_is_the_activity_of_the_incident() -> None:
    notice = read_notice(changed(lambda said: said.pop("alerts")))
    assert notice.window_start == datetime(2026, 1, 15, 9, 20, 0, 123456, tzinfo=UTC)
    assert notice.window_end == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def test_an_alert_is_read_flat() -> None:
    notice = read_notice(sample("alert"))
    assert (notice.shape, notice.incident, notice.alerts, notice.alerts_count) == (Shape.ALERT, "", (ALERT,), 1)
    assert notice.title == "Device code sign-in from an unusual place"
    assert notice.rules == (RULE,)
    assert notice.workspace == Workspace(
        subscription_id="11111111-2222-4333-8444-555555555555", resource_group="rg-soc"
    )
    assert notice.window_start == datetime(2026, 1, 14, 9, 40, tzinfo=UTC)
    (named,) = notice.accounts
    assert (named.object_id, named.tenant_id) == (VICTIM, TENANT)
    assert (named.address, named.label) == ("target.user@contoso.com", "target.user@contoso.com")


def test_the_entities_of_an_alert_may_be_text() -> None:
    body = sample("alert")
    inside = read_notice(body).accounts
    body["Entities"] = json.dumps(body["Entities"])
    assert read_notice(body).accounts == inside
    body["Entities"] = body["Entities"][:100]
    assert (read_notice(body).accounts, read_notice(body).entities_listed) == ((), False)


@pytest.mark.parametrize("incident", [None, INCIDENT])
def test_an_entity_may_come_from_an_incident_or_from_nowhere(incident: str | None) -> None:
    body = sample("entity") | {"IncidentArmID": incident}
    notice = read_notice(body)
    assert (notice.shape, notice.incident) == (Shape.ENTITY, incident or "")
    assert [named.address for named in notice.accounts] == ["target.user@contoso.com"]
    del body["Entity"]["kind"]
    assert read_notice(body).accounts == notice.accounts


def test_an_entity_that_is_no_account_names_nobody() -> None:
    notice = read_notice({"Entity": {"kind": "Ip", "properties": {"address": "203.0.113.7"}}})
    assert (notice.shape, notice.accounts) == (Shape.ENTITY, ())


@pytest.mark.parametrize("body", [{}, {"body": {}}, {"triggerBody": {"body": "{}"}}])
def test_an_empty_object_is_the_run_button(body: object) -> None:
    assert read_notice(body) == Notice(shape=Shape.EMPTY)


@pytest.mark.parametrize("body", [None, "", [], {"body": None}, {"body": []}, {"triggerBody": {"body": ""}}])
def test_nothing_at_all_asks_for_no_hunt(body: object) -> None:
    assert "must be a JSON object" in invalid(body).what


@pytest.mark.parametrize("properties", [None, {}, [], "", "text", 7, False, [{"title": "x"}]])
@pytest.mark.parametrize("schema", [{"objectSchemaType": "Incident"}, {}], ids=["named", "bare"])
def test_an_incident_that_says_nothing_of_itself_asks_for_no_hunt(schema: dict[str, str], properties: Any) -> None:
    body = sample("incident")
    told = {"object": {"id": body["object"]["id"], "properties": properties}, **schema}
    assert invalid(told).where == "/object/properties"
    missing = {"objectSchemaType": "Incident", "object": {"id": body["object"]["id"]}}
    assert invalid(missing).where == "/object/properties"


def test_a_bare_incident_is_read_as_well() -> None:
    body = sample("incident")
    wrapped = read_notice(body)
    bare = read_notice(body["object"])
    assert bare == wrapped.model_copy(update={"event": "", "event_id": "", "workspace_id": ""})
    assert bare.digest == wrapped.digest


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: {"body": body},
        lambda body: {"TriggerBody": body, "headers": {"Host": "example.com"}},
        lambda body: {"triggerBody": {"body": body}},
        lambda body: {"body": json.dumps(body)},
    ],
)
def test_a_delivery_may_be_wrapped(name: str, wrap: Callable[[Any], Any]) -> None:
    assert read_notice(wrap(sample(name))) == read_notice(sample(name))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.swapcase])
def test_the_case_and_order_of_keys_do_not_matter(name: str, case: Callable[[str], str]) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {case(key): turned(item) for key, item in reversed(value.items())}
        return [turned(item) for item in value] if isinstance(value, list) else value

    assert read_notice(turned(sample(name))) == read_notice(sample(name))


def test_the_older_name_of_the_schema_and_numbers_as_text_are_taken() -> None:
    body = changed(lambda said: said.update(incidentNumber="4711"))
    body["SchemaType"] = body.pop("objectSchemaType")
    body["object"]["properties"]["additionalData"] = json.dumps({"alertsCount": "7"})
    notice = read_notice(body)
    assert (notice.number, notice.alerts_count) == (4711, 7)


@pytest.mark.parametrize(
    ("entities", "listed"), [(None, False), ("", False), ([], True), ([None, 7, {}, {"kind": "Host"}], True)]
)
def test_entities_may_not_be_there_yet(entities: object, listed: bool) -> None:
    notice = read_notice(changed(lambda said: said.update(relatedEntities=entities)))
    assert (notice.accounts, notice.entities_listed) == ((), listed)


@pytest.mark.parametrize(
    ("said", "name", "kept"),
    [
        ({"aadUserId": "not-a-guid"}, "object_id", ""),
        ({"aadUserId": 7}, "object_id", ""),
        ({"aadUserId": "00000000-0000-0000-0000-000000000000"}, "object_id", ""),
        ({"aadUserId": VICTIM.upper()}, "object_id", VICTIM),
        ({"additionalData": {"UserPrincipalName": "ann@contoso.com/../x"}}, "upn", ""),
        ({"additionalData": {"UserPrincipalName": VICTIM}}, "upn", ""),
        ({"additionalData": {"UserPrincipalName": "a" * 200 + "@contoso.com"}}, "upn", ""),
        ({"additionalData": '{"UserPrincipalName": "ann@contoso.com"}'}, "upn", "ann@contoso.com"),
        ({"additionalData": None}, "upn", ""),
        ({"accountName": "ann@contoso.com"}, "suffix", "contoso.com"),
        ({"accountName": "ann", "upnSuffix": "@contoso.com"}, "suffix", "contoso.com"),
        ({"sid": "s-1-12-1-1-2-3-4"}, "sid", "S-1-12-1-1-2-3-4"),
        ({"sid": "S-1-5-21' or 1 eq 1"}, "sid", ""),
        ({"displayName": "x" * 500}, "label", "x" * 200),
        ({"displayName": "a\u0000b\n\u202ec \ud800"}, "label", "a b c"),
        ({}, "label", "account without a name"),
    ],
)
def test_of_an_account_only_what_can_be_one_is_kept(said: dict[str, Any], name: str, kept: str) -> None:
    (named,) = accounts_of([{"kind": "ACCOUNT", "properties": said}])
    assert getattr(named, name) == kept


def test_one_account_that_is_listed_twice_is_named_once() -> None:
    entity = {"kind": "Account", "properties": {"accountName": "Ann", "upnSuffix": "contoso.com"}}
    flat = {"Type": "account", "Name": "ann", "UPNSuffix": "CONTOSO.com", "DisplayName": "Ann"}
    other = {"Type": "account", "Name": "bob", "UPNSuffix": "contoso.com"}
    assert [named.label for named in accounts_of([entity, other, flat])] == ["Ann@contoso.com", "bob@contoso.com"]


def test_more_accounts_than_can_be_answered_are_cut_and_said_to_be() -> None:
    many = [{"kind": "Account", "properties": {"accountName": f"u{number}"}} for number in range(MOST_ACCOUNTS + 1)]
    notice = read_notice(changed(lambda said: said.update(relatedEntities=many)))
    assert (len(notice.accounts), notice.cut) == (MOST_ACCOUNTS, True)
    notice = read_notice(changed(lambda said: said.update(relatedEntities=many[:-1] + many[:-1])))
    assert (len(notice.accounts), notice.cut) == (MOST_ACCOUNTS, False)


def test_a_body_full_of_entities_is_read_in_no_time() -> None:
    body = changed(lambda said: said.update(relatedEntities=[{}] * 700_000))
    started = time.perf_counter()
    assert read_notice(body).cut
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (7, ""),
        (True, ""),
        ([{}], ""),
        ("{}", ""),
        ({"a": 1}, ""),
        ({"body": 7}, "/body"),
        ({"Body": "no JSON"}, "/Body"),
        ({"body": {"a": 1}}, "/body"),
        ({"objectSchemaType": "Incident"}, "/id"),
        ({"objectSchemaType": "Incident", "object": {}}, "/object/id"),
        ({"body": {"Object": {"Properties": {}, "ID": 7}}}, "/body/Object/ID"),
        ({"SystemAlertId": 7}, "/SystemAlertId"),
        ({"objectSchemaType": "Alert"}, "/SystemAlertId"),
        ({"SystemAlertId": "x", "Entities": {"a": 1}}, "/Entities"),
        ({"Entity": 7}, "/Entity"),
        ({"Entity": {}, "IncidentArmID": None}, "/Entity"),
        ({"Entity": {"kind": "Account"}, "IncidentArmID": "x"}, "/IncidentArmID"),
        ({"Entity": {"kind": "Account"}, "incidentArmId": 7}, "/incidentArmId"),
    ],
)
def test_what_the_work_depends_on_is_refused_with_its_place(body: object, where: str) -> None:
    assert invalid(body).where == where


@pytest.mark.parametrize("entities", [{}, {"a": 1}, 7, True, "no JSON", "{}"])
def test_entities_that_are_no_list_are_refused(entities: object) -> None:
    refusal = invalid(changed(lambda said: said.update(relatedEntities=entities)))
    assert refusal.where == "/object/properties/relatedEntities"
    assert refusal.message == "/object/properties/relatedEntities: must be a list of entities"


@pytest.mark.parametrize(
    "arm_id",
    [
        "",
        "x",
        INCIDENT[1:],
        INCIDENT + "/",
        INCIDENT + "\n",
        INCIDENT + "?api-version=1",
        INCIDENT + "/comments/1",
        INCIDENT.replace("rg-soc", ".."),
        INCIDENT.replace("rg-soc", "a/b"),
        INCIDENT.replace("rg-soc", "a%2Fb"),
        INCIDENT.replace("law-contoso", ".."),
        INCIDENT.replace("9a8b7c6d-0000-4000-8000-0000000000a1", ".."),
        INCIDENT.replace("Incidents", "Incident\u017f"),
        INCIDENT.replace("SecurityInsights", "Storage"),
        INCIDENT.replace("Microsoft.SecurityInsights", "MicrosoftXSecurityInsights"),
    ],
)
def test_only_the_resource_id_of_an_incident_is_one(arm_id: str) -> None:
    body = sample("incident")
    body["object"]["id"] = arm_id
    assert invalid(body).where == "/object/id"


@pytest.mark.parametrize("arm_id", [INCIDENT.lower(), INCIDENT.upper(), INCIDENT.replace("rg-soc", "rg_(søc).1")])
def test_a_resource_id_has_more_than_one_spelling(arm_id: str) -> None:
    body = sample("incident")
    body["object"]["id"] = arm_id
    assert read_notice(body).incident_key == arm_id.lower()


def test_a_link_that_is_none_is_not_shown() -> None:
    assert read_notice(changed(lambda said: said.update(incidentUrl="javascript:alert(1)"))).url == ""


@pytest.mark.parametrize(
    "edit",
    [
        lambda said: said.update(labels=[{"labelName": "respond-malicious", "labelType": "User"}]),
        lambda said: said.update(comments=[{"message": "ours"}], severity="High", status="Active"),
        lambda said: said["additionalData"].update(commentsCount=1),
        lambda said: said.update(owner={"email": "ann@contoso.com"}, lastModifiedTimeUtc="2026-01-15T10:00:00Z"),
        lambda said: said.update(title="renamed by correlation", incidentNumber=1),
        lambda said: said["alerts"].reverse(),
        lambda said: said["relatedEntities"].reverse(),
        lambda said: said["relatedEntities"][0]["properties"].update(friendlyName="other"),
    ],
)
def test_the_echo_of_our_own_change_is_about_the_same(edit: Callable[[Any], object]) -> None:
    body = changed(edit) | {"eventUniqueId": "another", "objectEventType": "Update"}
    body["object"]["id"] = body["object"]["id"].replace("/Incidents/", "/incidents/")
    assert read_notice(body).digest == read_notice(sample("incident")).digest


@pytest.mark.parametrize(
    "edit",
    [
        lambda said: said["alerts"].append({"properties": {"systemAlertId": "new"}}),
        lambda said: said["additionalData"].update(alertsCount=3),
        lambda said: said["relatedEntities"].pop(),
        lambda said: said.update(relatedEntities=[]),
        lambda said: said["alerts"][1]["properties"].update(endTimeUtc="2026-01-15T11:00:00Z"),
    ],
)
def test_a_new_alert_or_account_is_about_something_else(edit: Callable[[Any], object]) -> None:
    assert read_notice(changed(edit)).digest != read_notice(sample("incident")).digest


def test_what_different_deliveries_are_about_differs() -> None:
    other = sample("incident")
    other["object"]["id"] = other["object"]["id"][:-1] + "2"
    bodies = [sample(name) for name in SHAPES] + [other]
    assert len({read_notice(body).digest for body in bodies}) == len(bodies)


def test_a_retry_has_the_key_of_the_first_try() -> None:
    body = sample("incident")
    again = dict(reversed(body.items()))
    assert delivery_key(body) == delivery_key(again)
    assert len(delivery_key(None)) == 64
    assert delivery_key(body) != delivery_key(body | {"eventUniqueId": "another"})


def test_a_notice_survives_the_state_file() -> None:
    notice = read_notice(sample("incident"))
    kept = wire.loads(wire.dumps(notice))
    assert (kept, kept.digest) == (notice, notice.digest)


def test_deep_nesting_is_refused_or_ignored() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"body": deep}
    invalid(deep)
    with pytest.raises(InvalidNotice):
        delivery_key(deep)
    notice = read_notice(changed(lambda said: said.update(additionalData="[" * 100_000)))
    assert notice.alerts_count is None


KEYS = st.sampled_from(
    (
        *("body", "triggerBody", "object", "id", "properties", "objectSchemaType", "SystemAlertId", "Entities"),
        *("Entity", "IncidentArmID", "relatedEntities", "alerts", "additionalData", "kind", "Type", "aadUserId"),
        *("labels", "incidentNumber", "accountName", "upnSuffix", "sid", "lastActivityTimeUtc", "workspaceId"),
    )
)
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=30),
    st.sampled_from(
        [INCIDENT, "Incident", "Account", "mailbox", VICTIM, "0001-01-01T00:00:00+14:00", "9" * 5000, "[{}]"]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.one_of(KEYS, TEXTS), inner, max_size=6),
    max_leaves=40,
)


def reads_or_refuses(body: Any) -> None:
    before = repr(body)
    try:
        notice = read_notice(body)
    except InvalidNotice:
        notice = Notice(shape=Shape.EMPTY)
    assert wire.loads(wire.dumps(notice)) == notice
    assert len(notice.digest) == len(delivery_key(body)) == 64
    assert "\x00" not in notice.model_dump_json()
    assert repr(body) == before


@given(JSON)
def test_any_json_is_read_or_refused(body: Any) -> None:
    reads_or_refuses(body)


@given(st.sampled_from(SHAPES[:3]), st.data())
def test_a_delivery_with_anything_in_one_place_is_read_or_refused(name: str, data: st.DataObject) -> None:
    body = sample(name)
    place: Any = body
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = inner
    reads_or_refuses(body)


def test_an_alert_without_an_incident_is_read_wherever_its_parts_stand() -> None:
    said = changed(lambda _: None)["object"]["properties"]
    alert = said["alerts"][0]
    body = {
        "objectSchemaType": "Alert",
        "objectEventType": "Create",
        "workspaceId": changed(lambda _: None)["workspaceId"],
        "workspaceInfo": changed(lambda _: None)["workspaceInfo"],
        "object": alert | {"relatedEntities": said["relatedEntities"]},
    }
    found = read_notice(body)
    assert (found.shape, found.incident, found.alerts) == (Shape.ALERT, "", (ALERT,))
    assert VICTIM in {who.object_id for who in found.accounts}
    assert found.workspace is not None
    assert found.workspace.resource_group == "rg-soc"


def test_a_link_leads_to_the_portal_that_will_still_show_the_incident() -> None:
    def of(provider: str, number: str = "4711", **more: str) -> str:
        known = {"providerName": provider, "providerIncidentId": number, **more}
        return read_notice(changed(lambda said: said.update(known))).url

    assert of("Microsoft XDR") == "https://security.microsoft.com/incidents/4711"
    assert of("Azure Sentinel").startswith("https://portal.azure.com/")
    assert of("Microsoft XDR", "../4711").startswith("https://portal.azure.com/")
    assert of("Microsoft XDR", incidentUrl="https://portal.azure.us/x") == "https://portal.azure.us/x"
