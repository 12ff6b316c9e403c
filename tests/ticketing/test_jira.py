"""Jira Cloud: a search that lags, fields that a project may not have, and text that is a document."""

from __future__ import annotations

from typing import Any

import pytest

from respond.clients.guard import is_read
from respond.errors import FieldsRefused, NotFound, Permanent, Transient, Unanswered, Unauthenticated
from respond.models.tickets import Severity
from tests.fakes.jira import NOT_ON_SCREEN, PROJECT
from tests.fakes.served import Answer, Fault
from tests.ticketing.systems import BY_NAME, CASE, both, client, draft


async def test_an_issue_says_what_the_draft_says() -> None:
    async with both("jira") as (system, fake):
        made = await system.create(draft(tags=("device code", "T1528")))
        issue = fake.issues["SEC-1"]
        assert (made.handle, made.id, made.url) == ("SEC-1", "SEC-1", f"{fake.url}/browse/SEC-1")
        assert issue["summary"] == "Device code phishing: target.user@contoso.com"
        assert issue["labels"] == [f"respond-{CASE}", "device-code", "T1528"]
        assert issue["issuetype"] == {"name": "Task"}
        assert issue["priority"] == {"name": "High"}
        assert [node["type"] for node in issue["description"]["content"]] == ["heading", "paragraph", "bulletList"]
        await system.update(made, draft("less", severity=Severity.LOW))
        assert issue["description"]["content"][0]["content"] == [{"type": "text", "text": "less"}]
        assert (issue["priority"], issue["labels"][0]) == ({"name": "High"}, f"respond-{CASE}")


async def test_a_search_that_lags_finds_the_issue_later_and_says_how_long_that_may_take() -> None:
    async with both("jira") as (system, fake):
        fake.lags = True
        made = await system.create(draft())
        assert await system.find(CASE) is None
        fake.index()
        assert await system.find(CASE) == made
        assert system.lags.total_seconds() >= 60


async def test_the_label_of_another_case_that_differs_in_case_only_is_passed_over_page_by_page() -> None:
    async with both("jira") as (system, fake):
        fake.page = 2
        for _ in range(5):
            await system.create(draft(key=CASE.lower()))
        made = await system.create(draft())
        assert await system.find(CASE) == made
        searches = [request.body for request in fake.requests if request.path.endswith("/search/jql")]
        assert [search.get("nextPageToken") for search in searches] == [None, "2", "4"]
        assert searches[0]["fields"] == ["labels"]


async def test_the_search_that_atlassian_removed_is_not_asked() -> None:
    async with both("jira") as (system, fake):
        await system.find(CASE)
        await system.find(CASE)
        assert {request.path for request in fake.requests} == {"/rest/api/3/search/jql"}


async def test_a_project_without_priorities_gets_its_issue_all_the_same() -> None:
    async with both("jira") as (system, fake):
        fake.screen.clear()
        await system.create(draft())
        await system.create(draft(key="DC-2"))
        assert [issue.get("priority") for issue in fake.issues.values()] == [None, None]
        sent = [sorted(request.body["fields"]) for request in fake.requests]
        assert ["priority" in fields for fields in sent] == [True, False, False]


@pytest.mark.parametrize("again", [{"priority": NOT_ON_SCREEN}, {"priority": NOT_ON_SCREEN, "labels": "not there"}])
async def test_other_refused_fields_are_not_tried_again(again: dict[str, str]) -> None:
    async with both("jira") as (system, fake):
        refusal = Fault("POST", Answer(400, {"errorMessages": [], "errors": again}))
        fake.faults += [refusal, refusal]
        with pytest.raises(FieldsRefused, match="screens of the project") as caught:
            await system.create(draft())
        assert caught.value.fields == set(again)
        assert len(fake.requests) == (2 if len(again) == 1 else 1)
        assert fake.issues == {}


async def test_a_lost_answer_to_the_try_without_priority_is_said_as_well() -> None:
    async with both("jira") as (system, fake):
        fake.screen.clear()
        fake.faults += [
            Fault("POST", Answer(400, {"errorMessages": [], "errors": {"priority": NOT_ON_SCREEN}})),
            Fault("POST", Answer(500), worked=True),
        ]
        with pytest.raises(Unanswered):
            await system.create(draft())
        assert len(fake.issues) == 1


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"project": "NOPE"}, r"project: Specify a valid project ID or key\); set tickets\.jira\.project"),
        ({"issue_type": "Incident"}, r"issuetype: .*; set tickets\.jira\.issue_type"),
    ],
)
async def test_a_wrong_setting_is_named(section: dict[str, Any], key: str) -> None:
    async with both("jira", **section) as (system, fake):
        with pytest.raises(Permanent, match=key):
            await system.create(draft())
        assert fake.issues == {}


async def test_a_wrong_token_is_named_and_a_wrong_project_is_an_error_of_the_search() -> None:
    async with both("jira", token="other") as (system, _):
        with pytest.raises(Unauthenticated, match=r"tickets\.jira\.user or \.token is wrong"):
            await system.find(CASE)
    async with both("jira", project="NOPE") as (system, _):
        with pytest.raises(Permanent, match="'NOPE' does not exist for the field 'project'"):
            await system.find(CASE)


async def test_a_site_that_is_an_old_server_is_said_to_be() -> None:
    async with both("jira") as (system, fake):
        fake.faults.append(Fault("POST", Answer(410, {"errorMessages": ["removed"]})))
        with pytest.raises(Permanent, match=r"answered 410 \(removed\); .*REST API v3"):
            await system.find(CASE)


async def test_an_issue_that_was_deleted_is_gone() -> None:
    async with both("jira") as (system, fake):
        made = await system.create(draft())
        fake.issues.clear()
        with pytest.raises(NotFound, match="does not exist"):
            await system.update(made, draft())


async def test_a_search_with_no_end_is_an_error() -> None:
    async with both("jira") as (system, fake):
        page: dict[str, Any] = {"issues": [], "nextPageToken": "again", "isLast": False}
        fake.faults += [Fault("POST", Answer(200, page))] * 10
        with pytest.raises(Permanent, match="more than 10 pages"):
            await system.find(CASE)


async def test_a_limit_of_the_search_is_kept() -> None:
    async with both("jira") as (system, fake):
        fake.faults.append(Fault("POST", Answer(429, None, {"Retry-After": "30"})))
        with pytest.raises(Transient) as caught:
            await system.find(CASE)
        assert (caught.value.retry_after, caught.value.throttled) == (30.0, True)


async def test_behind_the_gateway_of_scoped_tokens_there_is_no_page_to_link_to() -> None:
    async with both("jira") as (_, fake):
        gateway = f"{fake.url}/ex/jira/0f0f0f0f-1111-4222-8333-944445555666"
        fake.faults.append(Fault("POST", Answer(201, {"id": "1", "key": f"{PROJECT}-1"})))
        async with client(BY_NAME["jira"], gateway) as system:
            made = await system.create(draft())
    assert (made.id, made.url) == ("SEC-1", "")
    assert fake.requests[0].path == "/ex/jira/0f0f0f0f-1111-4222-8333-944445555666/rest/api/3/issue"


def test_only_the_search_is_a_read() -> None:
    for base in ("https://example.atlassian.net", "https://api.atlassian.com/ex/jira/0f0f0f0f-1111"):
        assert is_read("POST", f"{base}/rest/api/3/search/jql")
        for method, path in (("POST", "issue"), ("PUT", "issue/SEC-1"), ("POST", "search"), ("DELETE", "search/jql")):
            assert not is_read(method, f"{base}/rest/api/3/{path}")
