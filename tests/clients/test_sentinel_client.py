"""The Sentinel client on the wire: what it sends, what it never loses, and which error each failure becomes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.guard import check_leaving, is_read
from respond.clients.sentinel import Sentinel
from respond.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Permanent,
    RespondError,
    TokenRefused,
    Transient,
    Unanswered,
    Unauthenticated,
    WriteRefused,
)
from respond.lab.constants import SECURITY_INSIGHTS
from respond.models import wire
from respond.models.incident import Incident, IncidentId, IncidentRecord
from respond.settings import LabFault, Retry
from tests.helpers.canned_service import Canned, canned
from tests.helpers.incident_actions import ENTRY, INCIDENT, NAME, VERSION, entry, seed_with_incident
from tests.lab.running_lab import LabCredential, RunningLab

COMMENT = "0f0f0f0f-1111-4222-8333-944445555666"
OTHER = INCIDENT.replace(NAME, "00000000-0000-4000-8000-0000000000aa")
Lab = Callable[..., RunningLab]


class Credential:
    """An identity that has its token, or fails to get one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        if self._failure:
            raise self._failure
        return AccessToken("token-of-the-test", int(time.time()) + 3600)


@asynccontextmanager
async def client(url: str, credential: Any = None, *, read_only: bool = False) -> AsyncIterator[Sentinel]:
    quick = {"attempts": 3, "first_wait": "1ms", "longest_wait": "2ms", "read_budget": "3s", "write_budget": "3s"}
    policy = Retry.model_validate(quick)
    sentinel = Sentinel(
        credential or LabCredential(url), url, check=check_leaving if read_only else lambda *_: None, retry=policy
    )
    yield sentinel
    await sentinel.close()


@pytest.fixture
def there(lab: Lab, tmp_path: Path) -> Callable[..., RunningLab]:
    return lambda *entries, **settings: lab(seed_with_incident(tmp_path, *entries), **settings)


def shown(tenant: RunningLab) -> Any:
    return tenant.get("/_lab/incidents")[0]["incident"]["properties"]


def failure(status: int, **headers: str) -> Canned:
    body = json.dumps({"error": {"code": "TheCode", "message": "the reason"}}).encode()
    return Canned(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("spelling", [INCIDENT, INCIDENT.lower(), INCIDENT.upper()])
async def test_an_incident_is_read_however_its_id_is_spelled(spelling: str, there: Lab) -> None:
    async with client(there().url) as sentinel:
        incident = await sentinel.incident(spelling)
    assert (incident.id, incident.name, incident.number) == (INCIDENT, NAME, 4711)
    assert (incident.severity, incident.status, incident.labels) == ("Medium", "New", ("pilot",))
    assert (incident.owner, incident.alerts_count, incident.comments_count) == ("ann@contoso.com", 1, 0)
    assert incident.created
    assert incident.created.microsecond == 123456
    assert not incident.is_merged


async def test_entities_and_alerts_come_as_they_are(there: Lab) -> None:
    async with client(there().url, read_only=True) as sentinel:
        assert await sentinel.entities(INCIDENT) == ENTRY["entities"]
        assert [alert["kind"] for alert in await sentinel.alerts(INCIDENT)] == ["SecurityAlert"]


async def test_a_comment_is_written_under_the_id_given_and_read_back(there: Lab) -> None:
    tenant = there()
    async with client(tenant.url) as sentinel:
        assert await sentinel.comment(INCIDENT, COMMENT) is None
        await sentinel.put_comment(INCIDENT, COMMENT, "é <br> 'x'")
        assert await sentinel.comment(INCIDENT, COMMENT) == "é <br> 'x'"
        assert await sentinel.comments_count(INCIDENT) == 1
        assert await sentinel.comment(OTHER, COMMENT) is None
        with pytest.raises(NotFound):
            await sentinel.put_comment(OTHER, COMMENT, "x")
        with pytest.raises(Permanent, match="30000 characters"):
            await sentinel.put_comment(INCIDENT, COMMENT, "x" * 30_001)


async def test_an_update_changes_what_it_says_and_loses_nothing(there: Lab) -> None:
    tenant = there()
    before = shown(tenant)
    async with client(tenant.url) as sentinel:
        after = await sentinel.update(INCIDENT, lambda properties: {**properties, "severity": "High"})
    assert after.severity == "High"
    assert after.etag
    kept = {name: value for name, value in before.items() if name not in ("severity", "lastModifiedTimeUtc")}
    assert {name: shown(tenant)[name] for name in kept} == kept
    assert kept["someNewProperty"] == {"kept": True}


async def test_an_update_that_changes_nothing_writes_nothing(there: Lab) -> None:
    tenant = there()
    async with client(tenant.url) as sentinel:
        await sentinel.update(INCIDENT, lambda properties: properties)
    assert tenant.get("/_lab/writes") == []


async def test_an_update_begins_again_when_somebody_else_was_quicker(there: Lab) -> None:
    tenant = there()
    tries: list[str] = []

    def edit(properties: dict[str, Any]) -> dict[str, Any]:
        tries.append(properties["title"])
        if len(tries) == 1:
            path = f"{INCIDENT}?{VERSION}"
            found = tenant.get(path)
            tenant.request("PUT", path, body={**found, "properties": {**found["properties"], "title": "another"}})
        return {**properties, "status": "Active"}

    async with client(tenant.url) as sentinel:
        await sentinel.update(INCIDENT, edit)
    assert tries == [ENTRY["incident"]["properties"]["title"], "another"]
    assert (shown(tenant)["title"], shown(tenant)["status"]) == ("another", "Active")
    assert [write["status"] for write in tenant.get("/_lab/writes")] == [200, 409, 200]


async def test_many_who_update_at_once_all_get_through(there: Lab) -> None:
    tenant = there()
    patient = Retry.model_validate({"attempts": 20, "first_wait": "20ms", "longest_wait": "300ms"})
    sentinel = Sentinel(LabCredential(tenant.url), tenant.url, check=lambda *_: None, retry=patient)

    def add(label: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda properties: {**properties, "labels": [*properties["labels"], {"labelName": label}]}

    await asyncio.gather(*(sentinel.update(INCIDENT, add(f"l{number}")) for number in range(6)))
    await sentinel.close()
    assert {label["labelName"] for label in shown(tenant)["labels"]} == {"pilot", *(f"l{n}" for n in range(6))}


async def test_who_is_never_quick_enough_is_told_so_after_some_tries(there: Lab) -> None:
    tenant = there(faults=(LabFault(match="PUT */incidents/*", status=409, times=0),))
    async with client(tenant.url) as sentinel:
        with pytest.raises(Conflict):
            await sentinel.update(INCIDENT, lambda properties: {**properties, "status": "Active"})
    assert [write["status"] for write in tenant.get("/_lab/writes")] == [409] * 3


@pytest.mark.parametrize(
    "arm_id",
    [
        "",
        NAME,
        f"{INCIDENT}/",
        f"{INCIDENT}/comments",
        f"{INCIDENT}?api-version=2025-09-01",
        f"{INCIDENT}#x",
        f"{INCIDENT}\n",
        f"https://evil.example{INCIDENT}",
        f"//evil.example{INCIDENT}",
        INCIDENT.replace(NAME, ".."),
        INCIDENT.replace(NAME, "a%2f..%2fb"),
        INCIDENT.replace("respond-lab/", "../"),
        INCIDENT.replace("respond-lab/", "./"),
        INCIDENT.replace("respond-lab/", "a/b/"),
        INCIDENT.replace("Microsoft.SecurityInsights", "MicrosoftXSecurityInsights"),
        INCIDENT.replace("incidents", "watchlists").replace("Incidents", "Watchlists"),
    ],
)
async def test_nothing_is_sent_for_what_is_not_the_id_of_an_incident(arm_id: str) -> None:
    with canned(Canned()) as service:
        async with client(service.url, Credential()) as sentinel:
            for call in (sentinel.incident, sentinel.entities, sentinel.alerts, sentinel.comments_count):
                with pytest.raises(Permanent, match="is not the id of an incident"):
                    await call(arm_id)
            with pytest.raises(Permanent):
                await sentinel.put_comment(arm_id, COMMENT, "x")
        assert service.seen == []


@given(text=st.text(st.sampled_from("aZ09-./%\\ é\u017f\u212a?#(_)"), max_size=40))
def test_a_path_is_made_of_the_parts_that_were_read_and_nothing_else(text: str) -> None:
    for place in ("respond-lab/", "respond-lab-sentinel", NAME):
        found = IncidentId.read(INCIDENT.replace(place, text))
        if found is not None:
            parts = found.path.split("/")
            assert len(parts) == len(INCIDENT.split("/"))
            assert not {"", ".", ".."} & set(parts[1:])
            assert not set("?#%\\ ") & set(found.path)
            assert IncidentId.read(found.path) == found


@pytest.mark.parametrize("comment", ["", "../x", "a/b", "a?b", "é", "a b"])
async def test_nothing_is_sent_for_what_is_not_the_id_of_a_comment(comment: str) -> None:
    with canned(Canned()) as service:
        async with client(service.url, Credential()) as sentinel:
            with pytest.raises(Permanent):
                await sentinel.comment(INCIDENT, comment)
        assert service.seen == []


async def test_what_it_sends_is_what_the_reference_says() -> None:
    answer = Canned(
        body=json.dumps({"id": INCIDENT, "name": NAME, "etag": '"1"', "properties": {"title": "t"}}).encode()
    )
    credential = Credential()
    with canned(answer) as service:
        async with client(f"{service.url}/", credential) as sentinel:
            await sentinel.put_comment(INCIDENT, COMMENT, "said")
            await sentinel.update(INCIDENT, lambda properties: {**properties, "status": "Active"})
            assert sentinel.url(INCIDENT).startswith(f"{service.url}/subscriptions/")
        (comment, get, update) = service.seen
        assert credential.scopes == [f"{service.url}/.default"]
    path = f"{SECURITY_INSIGHTS}/incidents/{NAME}"
    assert comment[:2] == ("PUT", f"{path}/comments/{COMMENT}?{VERSION}")
    assert json.loads(comment[2]) == {"properties": {"message": "said"}}
    assert get[:2] == ("GET", f"{path}?{VERSION}")
    assert update[:2] == ("PUT", f"{path}?{VERSION}")
    assert json.loads(update[2]) == {"etag": '"1"', "properties": {"title": "t", "status": "Active"}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Permanent), (401, TokenRefused), (403, Forbidden), (404, NotFound), (409, Conflict), (302, Permanent)],
)
@pytest.mark.parametrize("is_write", [False, True])
async def test_a_refusal_is_named_and_not_repeated(status: int, kind: type[RespondError], is_write: bool) -> None:
    with canned(failure(status, Location="https://evil.example/")) as service:
        async with client(service.url, Credential()) as sentinel:
            with pytest.raises(kind, match=f"{NAME}: Sentinel answered {status} TheCode: the reason") as caught:
                await (sentinel.put_comment(INCIDENT, COMMENT, "x") if is_write else sentinel.incident(INCIDENT))
        assert len(service.seen) == 1
    assert type(caught.value) is kind


async def test_a_refusal_that_was_cut_off_is_no_refusal() -> None:
    cut = Canned(404, b'{"error": {"co', {"Content-Type": "application/json; charset=utf-8"})
    with canned(cut) as service:
        async with client(service.url, Credential()) as sentinel:
            with pytest.raises(Transient):
                await sentinel.incident(INCIDENT)


@pytest.mark.parametrize("status", [408, 429, 503])
async def test_a_throttled_write_waits_as_told_and_is_sent_again(status: int) -> None:
    with canned(failure(status, Retry_After="0.3"), Canned()) as service:
        started = time.monotonic()
        async with client(service.url, Credential()) as sentinel:
            await sentinel.put_comment(INCIDENT, COMMENT, "x")
        assert len(service.seen) == 2
    assert time.monotonic() - started >= 0.3


LOST = [
    pytest.param(failure(500), id="500"),
    pytest.param(failure(504), id="504"),
    pytest.param(Canned(0), id="connection closed"),
    pytest.param(Canned(200, b"<html>"), id="a page"),
    pytest.param(Canned(200, b"[]"), id="a list"),
    pytest.param(Canned(200, b"{}", {"Content-Length": "50", "Connection": "close"}), id="cut off"),
]


@pytest.mark.parametrize("answer", LOST)
async def test_a_write_whose_answer_is_lost_is_sent_once(answer: Canned) -> None:
    """The second one, on a connection that was kept: there, aiohttp by itself would repeat a PUT."""
    with canned(Canned(), answer) as service:
        async with client(service.url, Credential()) as sentinel:
            await sentinel.put_comment(INCIDENT, COMMENT, "first")
            with pytest.raises(Unanswered):
                await sentinel.put_comment(INCIDENT, COMMENT, "second")
        assert len(service.seen) == 2


@pytest.mark.parametrize("answer", LOST)
async def test_a_read_whose_answer_is_lost_is_sent_again(answer: Canned) -> None:
    found = Canned(body=json.dumps({"id": INCIDENT, "name": NAME, "properties": {"title": "t"}}).encode())
    with canned(answer, found) as service:
        async with client(service.url, Credential()) as sentinel:
            assert (await sentinel.incident(INCIDENT)).title == "t"
        assert len(service.seen) == 2


async def test_what_never_left_is_tried_again_also_when_it_writes() -> None:
    with canned(Canned()) as service:
        url = service.url
    async with client(url, Credential()) as sentinel:
        with pytest.raises(Transient) as caught:
            await sentinel.put_comment(INCIDENT, COMMENT, "x")
    assert type(caught.value) is Transient


async def test_an_identity_that_gets_no_token_is_an_error_of_our_tree() -> None:
    refused = ClientAuthenticationError("AADSTS7000215: Invalid client secret provided.")
    with canned(Canned()) as service:
        async with client(service.url, Credential(refused)) as sentinel:
            with pytest.raises(Unauthenticated, match="AADSTS7000215"):
                await sentinel.incident(INCIDENT)
        assert service.seen == []


async def test_no_token_leaves_over_plain_http_to_another_machine() -> None:
    credential = Credential()
    async with client("http://management.example", credential) as sentinel:
        with pytest.raises(Transient, match="did not answer"):
            await sentinel.incident(INCIDENT)
    assert credential.scopes == []


async def test_in_a_dry_run_no_write_leaves(there: Lab) -> None:
    tenant = there()
    async with client(tenant.url, read_only=True) as sentinel:
        with pytest.raises(WriteRefused):
            await sentinel.put_comment(INCIDENT, COMMENT, "x")
        with pytest.raises(WriteRefused):
            await sentinel.update(INCIDENT, lambda properties: {**properties, "status": "Active"})
        assert (await sentinel.incident(INCIDENT)).status == "New"
    assert tenant.get("/_lab/writes") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", INCIDENT),
        ("DELETE", INCIDENT),
        ("POST", INCIDENT),
        ("POST", f"{INCIDENT}/runPlaybook"),
        ("POST", f"{INCIDENT}/comments/x"),
        ("POST", f"{INCIDENT}/entities/../runPlaybook"),
        ("POST", f"{INCIDENT}%2F..%2Fx/entities"),
        ("POST", f"{SECURITY_INSIGHTS}/incidents/../entities"),
        ("GET", f"{SECURITY_INSIGHTS}/settings"),
    ],
)
def test_the_read_list_takes_reads_of_incidents_only(method: str, path: str) -> None:
    with pytest.raises(WriteRefused):
        check_leaving(method, f"https://management.azure.com{path}?{VERSION}")
    for verb, tail in (("GET", ""), ("GET", "/comments"), ("GET", "/comments/x"), ("POST", "/Entities")):
        assert is_read(verb, f"https://management.azure.com{INCIDENT}{tail}?{VERSION}")


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"incidentNumber": "84"}, {"number": 84}),
        ({"incidentNumber": True, "labels": "x", "owner": [], "additionalData": None}, {"number": None, "labels": ()}),
        ({"labels": [{"labelName": "a"}, {}, 5, {"labelName": None}]}, {"labels": ("a",)}),
        ({"createdTimeUtc": "2026-01-15T09:30:00.1234567Z"}, {"created": datetime(2026, 1, 15, 9, 30, 0, 123456, UTC)}),
        ({"createdTimeUtc": "yesterday"}, {"created": None}),
        ({"owner": {"objectId": None, "email": "a@contoso.com"}}, {"owner": "a@contoso.com"}),
        ({"additionalData": {"mergedIncidentNumber": 9}}, {"merged_into": 9, "is_merged": True}),
        ({"status": "Redirected"}, {"is_merged": True}),
        ({"status": "closed"}, {"is_closed": True, "is_merged": False}),
    ],
)
def test_an_incident_is_read_tolerantly(properties: dict[str, Any], expected: dict[str, Any]) -> None:
    incident = Incident.read({"id": INCIDENT, "properties": properties})
    assert {name: getattr(incident, name) for name in expected} == expected
    assert incident.raw == properties


def test_what_was_read_survives_the_state_file() -> None:
    found = Incident.read({**entry()["incident"], "id": INCIDENT})
    record = IncidentRecord(incident=found, entities=tuple(ENTRY["entities"]), alerts=tuple(ENTRY["alerts"]))
    assert wire.loads(wire.dumps(record)) == record
    lost = wire.loads(wire.dumps(Conflict("somebody else was quicker")))
    assert type(lost) is Conflict
