"""The Sentinel face: incidents, comments, entities and alerts as Azure Resource Manager answers for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from respond.errors import UsageError
from respond.lab import scenario
from respond.lab.constants import ARM_AUDIENCE, SECURITY_INSIGHTS, SUBSCRIPTION_ID
from respond.lab.state import LabState
from tests.helpers.incident_actions import ENTRY, INCIDENT, NAME, VERSION, entry
from tests.lab.running_lab import HTTP, RunningLab, token

Start = Callable[..., RunningLab]
Story = Callable[..., Path]
COMMENT = "0f0f0f0f-1111-4222-8333-944445555666"
NEW = f"{SECURITY_INSIGHTS}/incidents/00000000-0000-4000-8000-0000000000aa"
LEAST = {"title": "t", "severity": "Low", "status": "New"}


@pytest.fixture
def lab(start: Start, story: Story) -> RunningLab:
    return start(story(incidents=[ENTRY]))


def ask(lab: RunningLab, method: str, path: str, **body: Any) -> httpx.Response:
    return lab.request(method, f"{path}{'&' if '?' in path else '?'}{VERSION}", body=body or None)


def put(lab: RunningLab, path: str = INCIDENT, etag: str = "", **properties: Any) -> httpx.Response:
    return ask(lab, "PUT", path, etag=etag or etag_of(lab, path), properties=properties)


def etag_of(lab: RunningLab, path: str = INCIDENT) -> str:
    answer = ask(lab, "GET", path)
    return str(answer.json()["etag"]) if answer.status_code == 200 else ""


def say(lab: RunningLab, message: Any, comment: str = COMMENT, path: str = INCIDENT) -> httpx.Response:
    return ask(lab, "PUT", f"{path}/comments/{comment}", properties={"message": message})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("path", [INCIDENT, INCIDENT.lower(), INCIDENT.upper()])
def test_an_incident_is_found_in_any_case_and_complete(lab: RunningLab, path: str) -> None:
    incident = ask(lab, "GET", path).json()
    assert (incident["id"], incident["name"]) == (INCIDENT, NAME)
    assert incident["type"] == "Microsoft.SecurityInsights/Incidents"
    assert incident["etag"].startswith('"')
    properties = incident["properties"]
    assert properties["incidentNumber"] == 4711
    assert properties["additionalData"]["alertsCount"] == 1
    assert properties["incidentUrl"].endswith(INCIDENT)


def test_its_times_are_moved_to_the_present(lab: RunningLab) -> None:
    properties = ask(lab, "GET", INCIDENT).json()["properties"]
    first = datetime.fromisoformat(properties["firstActivityTimeUtc"])
    assert timedelta(minutes=15) <= datetime.now(UTC) - first <= timedelta(minutes=16)
    assert properties["createdTimeUtc"].endswith(".1234567Z")


def test_what_a_put_does_not_say_is_lost_but_for_what_is_sentinels_own(lab: RunningLab) -> None:
    before = ask(lab, "GET", INCIDENT).json()["properties"]
    after = put(lab, **LEAST, incidentNumber=1, createdTimeUtc="2020-01-01T00:00:00Z").json()["properties"]
    assert "description" not in after
    assert (after["labels"], after["owner"]["email"]) == ([], None)
    for name in ("incidentNumber", "createdTimeUtc", "incidentUrl", "additionalData"):
        assert after[name] == before[name]
    assert after["lastModifiedTimeUtc"] > before["lastModifiedTimeUtc"]


def test_every_write_makes_a_new_version(lab: RunningLab) -> None:
    versions = [etag_of(lab)]
    assert put(lab, **LEAST).status_code == 200
    versions.append(etag_of(lab))
    for message in ("a", "b"):
        assert say(lab, message).status_code in (200, 201)
        versions.append(etag_of(lab))
    assert len(set(versions)) == 4


@pytest.mark.parametrize("etag", ['"an older one"', None])
def test_a_stale_or_missing_etag_is_a_conflict_and_nothing_is_saved(lab: RunningLab, etag: str | None) -> None:
    answer = ask(lab, "PUT", INCIDENT, properties=LEAST, etag=etag)
    assert code(answer) == (409, "Conflict")
    assert answer.json()["error"]["message"] == f"Newer version of resource '{INCIDENT}' exists. Data was not saved."
    assert ask(lab, "GET", INCIDENT).json()["properties"]["title"] == ENTRY["incident"]["properties"]["title"]


@pytest.mark.parametrize(
    "properties",
    [
        {"severity": "Low", "status": "New"},
        {"title": "t", "status": "New"},
        {"title": "t", "severity": "Low"},
        {**LEAST, "severity": "Critical"},
        {**LEAST, "status": "Closed"},
        {**LEAST, "status": "Closed", "classification": "Wrong"},
        {**LEAST, "labels": ["text"]},
        {**LEAST, "labels": [{}]},
        {**LEAST, "description": "x" * 5001},
    ],
)
def test_what_sentinel_does_not_take_is_refused(lab: RunningLab, properties: dict[str, Any]) -> None:
    assert code(put(lab, **properties)) == (400, "BadRequest")


def test_an_incident_closes_with_its_classification(lab: RunningLab) -> None:
    closing = {"status": "Closed", "classification": "BenignPositive", "classificationReason": "SuspiciousButExpected"}
    assert put(lab, **{**LEAST, **closing}).json()["properties"]["status"] == "Closed"


def test_without_a_file_incidents_are_created_by_put(start: Start, story: Story) -> None:
    lab = start(story())
    assert ask(lab, "GET", f"{SECURITY_INSIGHTS}/incidents").json() == {"value": []}
    answer = put(lab, NEW, **LEAST, labels=[{"labelName": "a"}])
    assert answer.status_code == 201
    assert answer.json()["properties"]["labels"] == [{"labelName": "a", "labelType": "User"}]
    assert ask(lab, "GET", NEW).json() == answer.json()
    assert ask(lab, "POST", f"{NEW}/entities").json() == {"entities": [], "metaData": []}
    assert ask(lab, "POST", f"{NEW}/alerts").json() == {"value": []}


def test_the_list_is_cut_into_pages(start: Start, story: Story) -> None:
    lab = start(story())
    names = [f"{SECURITY_INSIGHTS}/incidents/n{number}" for number in range(5)]
    for name in names:
        put(lab, name, **LEAST)
    page = ask(lab, "GET", f"{SECURITY_INSIGHTS}/incidents?$top=2").json()
    found = page["value"]
    while "nextLink" in page:
        page = lab.request("GET", page["nextLink"].removeprefix(lab.url)).json()
        found += page["value"]
    assert [incident["name"] for incident in found] == [f"n{number}" for number in range(5)]
    assert code(ask(lab, "GET", f"{SECURITY_INSIGHTS}/incidents?$filter=x"))[0] == 400


def test_a_comment_has_the_id_that_its_writer_chose_and_is_replaced_by_it(lab: RunningLab) -> None:
    assert say(lab, "first").status_code == 201
    assert say(lab, "second", COMMENT.upper()).status_code == 200
    assert ask(lab, "GET", f"{INCIDENT}/comments/{COMMENT}").json()["properties"]["message"] == "second"
    assert len(ask(lab, "GET", f"{INCIDENT}/comments").json()["value"]) == 1
    assert ask(lab, "GET", INCIDENT).json()["properties"]["additionalData"]["commentsCount"] == 1


@pytest.mark.parametrize("message", ["", "  ", None, 5, "x" * 30_001])
def test_an_empty_or_long_comment_is_refused(lab: RunningLab, message: Any) -> None:
    assert code(say(lab, message)) == (400, "BadRequest")
    assert say(lab, "x" * 30_000).status_code == 201


def test_the_hundred_and_first_comment_is_refused_and_the_others_can_be_replaced(lab: RunningLab) -> None:
    for number in range(100):
        assert say(lab, "x", f"c{number}").status_code == 201
    assert code(say(lab, "x", "c100")) == (400, "BadRequest")
    assert say(lab, "y", "c0").status_code == 200


def test_entities_and_alerts_are_listed(lab: RunningLab) -> None:
    entities = ask(lab, "POST", f"{INCIDENT}/entities").json()
    assert entities["entities"] == ENTRY["entities"]
    assert {"entityKind": "Account", "count": 1} in entities["metaData"]
    (alert,) = ask(lab, "POST", f"{INCIDENT}/alerts").json()["value"]
    assert alert["properties"]["systemAlertId"] == "a1"


def test_entities_come_late_when_the_story_says_so(start: Start, story: Story) -> None:
    lab = start(story(incidents=[entry(entities_after=1.0)]))
    ask(lab, "GET", INCIDENT)
    assert ask(lab, "POST", f"{INCIDENT}/entities").json()["entities"] == []
    time.sleep(1.1)
    assert len(ask(lab, "POST", f"{INCIDENT}/entities").json()["entities"]) == 2


@pytest.mark.parametrize("path", [NEW, f"{NEW}/comments", f"{INCIDENT}/comments/none"])
def test_what_is_not_there_is_not_found(lab: RunningLab, path: str) -> None:
    assert code(ask(lab, "GET", path)) == (404, "NotFound")


def test_a_comment_on_no_incident_is_not_found(lab: RunningLab) -> None:
    assert code(say(lab, "x", path=NEW)) == (404, "NotFound")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/x", "SubscriptionNotFound"),
        (f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/other", "ResourceGroupNotFound"),
        (INCIDENT.replace("respond-lab-sentinel", "other"), "ResourceNotFound"),
        (f"{SECURITY_INSIGHTS}/watchlists", "InvalidResourceType"),
        (f"/subscriptions/{SUBSCRIPTION_ID}/providers", "InvalidResourceType"),
    ],
)
def test_other_places_are_not_found_as_arm_says_it(lab: RunningLab, path: str, expected: str) -> None:
    assert code(ask(lab, "GET", path)) == (404, expected)


def test_a_method_that_a_resource_does_not_have_is_refused(lab: RunningLab) -> None:
    assert code(ask(lab, "DELETE", INCIDENT))[0] == 405


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", "MissingApiVersionParameter"), ("?api-version=2019-01-01", "InvalidApiVersionParameter")],
)
def test_the_api_version_is_required(lab: RunningLab, query: str, expected: str) -> None:
    assert code(lab.request("GET", f"{INCIDENT}{query}")) == (400, expected)


@pytest.mark.parametrize("scope", [f"{ARM_AUDIENCE}/.default", "https://management.core.windows.net/.default"])
def test_a_token_for_resource_manager_is_taken_and_one_for_graph_is_not(lab: RunningLab, scope: str) -> None:
    url = f"{lab.url}{INCIDENT}?{VERSION}"
    assert HTTP.get(url, headers={"Authorization": f"Bearer {token(lab.url, scope)}"}).status_code == 200
    assert code(HTTP.get(url, headers={"Authorization": f"Bearer {token(lab.url)}"})) == (
        401,
        "InvalidAuthenticationToken",
    )
    assert code(HTTP.get(url)) == (401, "AuthenticationFailed")


def test_without_the_role_nothing_is_answered(start: Start, story: Story) -> None:
    lab = start(story(incidents=[ENTRY]), withheld_permissions=("Microsoft Sentinel Responder",))
    for answer in (ask(lab, "GET", INCIDENT), say(lab, "x"), ask(lab, "POST", f"{INCIDENT}/entities")):
        assert code(answer) == (403, "AuthorizationFailed")
    assert "Microsoft.SecurityInsights/incidents/comments/write" in say(lab, "x").json()["error"]["message"]


def test_writes_are_in_the_journal_and_reads_by_post_are_not(lab: RunningLab) -> None:
    ask(lab, "POST", f"{INCIDENT}/entities")
    say(lab, "x")
    put(lab, etag="stale", **LEAST)
    writes = [(write["method"], write["status"]) for write in lab.get("/_lab/writes")]
    assert writes == [("PUT", 201), ("PUT", 409)]


@pytest.mark.parametrize(("kind", "said"), [("drop_before", 0), ("drop_after", 1)])
def test_faults_strike_here_too(start: Start, story: Story, kind: str, said: int) -> None:
    fault = {"match": "PUT */comments/*", "kind": kind}
    throttled = {"match": "PUT */comments/*", "status": 429, "retry_after": "3"}
    lab = start(story(incidents=[ENTRY]), faults=(fault, throttled))
    with pytest.raises(httpx.RemoteProtocolError):
        say(lab, "x")
    assert len(ask(lab, "GET", f"{INCIDENT}/comments").json()["value"]) == said
    answer = say(lab, "x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert [write["status"] for write in lab.get("/_lab/writes")] == [201 if said else 444, 429]


def test_what_was_written_outlives_the_lab_until_the_reset(story: Story, tmp_path: Path) -> None:
    from tests.lab.running_lab import running

    data = story(incidents=[ENTRY])
    with running(data, tmp_path / "s") as lab:
        say(lab, "still here")
    with running(data, tmp_path / "s") as lab:
        (shown,) = lab.get("/_lab/incidents")
        assert shown["comments"][0]["properties"]["message"] == "still here"
        assert shown["entities"] == ENTRY["entities"]
    LabState(tmp_path / "s").reset()
    with running(data, tmp_path / "s") as lab:
        assert lab.get("/_lab/incidents")[0]["comments"] == []


def test_a_changed_file_is_another_story(story: Story) -> None:
    first = scenario.outline(story(incidents=[ENTRY])).digest
    assert scenario.outline(story(incidents=[entry(title="other")])).digest != first


def test_another_story_takes_its_incidents_with_it(story: Story, tmp_path: Path) -> None:
    state = LabState(tmp_path / "s")
    state.open(story(incidents=[ENTRY, {"incident": {"name": "b", "properties": LEAST}}]))
    assert [item["incident"]["properties"]["incidentNumber"] for item in state.incidents.everything()] == [4711, 4712]
    state.open(story(incidents=[]))
    assert state.incidents.everything() == []


def test_a_thousand_incidents_cost_a_request_no_more_than_one(start: Start, story: Story) -> None:
    many = [{**ENTRY, "incident": {"name": f"n{n}", "properties": LEAST}} for n in range(1000)]
    lab = start(story(incidents=many))
    bearer = {"Authorization": f"Bearer {token(lab.url, f'{ARM_AUDIENCE}/.default')}"}
    with httpx.Client(base_url=lab.url, headers=bearer) as client:
        started = time.monotonic()
        for n in range(200):
            assert client.get(f"{SECURITY_INSIGHTS}/incidents/n{n}?{VERSION}").status_code == 200
            body = {"properties": {"message": "x"}}
            assert client.put(f"{SECURITY_INSIGHTS}/incidents/n{n}/comments/c?{VERSION}", json=body).status_code == 201
        assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "must be a list"),
        ([5], "[0] must be an object"),
        ([ENTRY, {**ENTRY, "entitys": []}], "[1] has an unknown key 'entitys'"),
        ([ENTRY, ENTRY], f"[1] repeats {NAME}"),
        ([{}], "[0].incident must be an object"),
        ([{"incident": {"name": "a/b", "properties": LEAST}}], "[0].incident needs 'name'"),
        ([{"incident": {"name": "a"}}], "[0].incident needs 'properties'"),
        (
            [{"incident": {"name": "a", "properties": {**LEAST, "severity": "Critical"}}}],
            "severity must be one of High",
        ),
        ([{"incident": {"name": "a", "properties": {**LEAST, "createdTimeUtc": "today"}}}], "createdTimeUtc must be"),
        (
            [{"incident": {"name": "a", "properties": {**LEAST, "incidentNumber": "7"}}}],
            "incidentNumber must be a number",
        ),
        ([{**ENTRY, "entities": [{"kind": "Account"}]}], "[0].entities[0] must be an object with 'properties'"),
        ([{**ENTRY, "entities": [{"properties": {}}]}], "[0].entities[0] needs 'kind'"),
        ([{**ENTRY, "alerts": {}}], "[0].alerts must be a list"),
        ([{**ENTRY, "entitiesAfter": "6m"}], "[0].entitiesAfter must be a number of seconds"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(story: Story, content: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario.outline(story(incidents=content))
    assert "incidents.json: " in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message
