"""GitHub issues: a hidden line that is compared, limits that answer 403, and labels that are dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from respond.clients.guard import is_read
from respond.clients.ticketing.github import LABEL
from respond.errors import Forbidden, NotFound, Permanent, Transient, Unauthenticated, UsageError
from respond.models.tickets import Found
from tests.fakes.served import Answer, Fault
from tests.ticketing.systems import BY_NAME, CASE, both, client, draft

MARKER = f"<!-- respond: {CASE} -->"
LABELS = [{"name": LABEL}]


async def test_an_issue_says_what_the_draft_says() -> None:
    async with both("github") as (system, fake):
        made = await system.create(draft(tags=("T1528", "a,b")))
        issue = fake.issues[0]
        assert made == Found(handle="1", id="#1", url=issue["html_url"])
        assert issue["title"] == "Device code phishing: target.user@contoso.com"
        assert issue["body"] == (
            f"{MARKER}\n\n# MALICIOUS 97\n\nWhy: <strong>redeemed</strong> by `python-requests`\n\n- click\n- approval"
        )
        assert [label["name"] for label in issue["labels"]] == [LABEL, "T1528", "a b"]
        await system.update(made, draft("less", title="@soc look"))
        assert (issue["body"], issue["title"]) == (f"{MARKER}\n\nless", "(at)soc look")
        assert issue["labels"][0] == {"name": LABEL}


async def test_it_is_found_behind_others_whether_open_or_closed() -> None:
    async with both("github") as (system, fake):
        made = await system.create(draft())
        fake.issues[0]["state"] = "closed"
        fake.issues[0]["body"] = fake.issues[0]["body"].replace("\n", "\r\n") + "\n\nedited by hand"
        for _ in range(230):
            fake.add(title="other", body="<!-- respond: DC-OTHER -->\n\nx", labels=LABELS)
        assert await system.find(CASE) == made
        pages = [request.query["page"] for request in fake.requests if request.method == "GET"]
        assert pages == ["1", "2", "3"]
        assert await system.find("DC-NONE") is None


@pytest.mark.parametrize(
    "body", [f"see\n{MARKER}", f"```\n{MARKER}\n```", f"{MARKER}x", "<!-- respond: DC-7F3K2QX -->", None, ""]
)
async def test_an_issue_that_only_quotes_the_line_is_not_the_ticket(body: str | None) -> None:
    async with both("github") as (system, fake):
        fake.add(title="other", body=body, labels=LABELS)
        fake.add(title="a change", body=MARKER, labels=LABELS, pull_request={})
        fake.add(title="without the label", body=MARKER, labels=[])
        assert await system.find(CASE) is None


async def test_the_text_of_a_case_cannot_pretend_to_be_the_ticket_of_another() -> None:
    async with both("github") as (system, _):
        await system.create(draft("<!-- respond: DC-OTHER -->\n\n```\n<!-- respond: DC-OTHER -->\n```\n"))
        assert await system.find("DC-OTHER") is None
        assert await system.find(CASE) is not None


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "60"}, 60, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "{soon}"}, 80, 90),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, 0, 0),
    ],
)
@pytest.mark.parametrize("status", [403, 429])
async def test_a_limit_is_waited_for_and_not_taken_for_a_missing_permission(
    status: int, headers: dict[str, str], least: int, most: int
) -> None:
    soon = str(int(datetime.now(UTC).timestamp()) + 90)
    given = {name: value.replace("{soon}", soon) for name, value in headers.items()}
    async with both("github") as (system, fake):
        fake.faults.append(Fault("POST", Answer(status, {"message": "You have exceeded a rate limit"}, given)))
        with pytest.raises(Transient) as caught:
            await system.create(draft())
        assert caught.value.throttled
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most
        assert (len(fake.requests), fake.issues) == (1, [])


async def test_a_repository_without_issues_says_so() -> None:
    async with both("github") as (system, fake):
        fake.enabled = False
        with pytest.raises(Permanent, match=r"answered 410 .*issues are disabled in contoso/cases") as caught:
            await system.create(draft())
        assert not isinstance(caught.value, NotFound)


async def test_a_deleted_issue_is_gone() -> None:
    async with both("github") as (system, fake):
        made = await system.create(draft())
        fake.gone.add(1)
        with pytest.raises(NotFound, match="was deleted"):
            await system.update(made, draft())


async def test_a_renamed_repository_is_named() -> None:
    async with both("github") as (system, fake):
        fake.renamed = True
        for call in (system.find(CASE), system.create(draft()), system.update(Found(handle="1", id="#1"), draft())):
            with pytest.raises(Permanent, match=r"answered 301 .*set tickets\.github\.repository"):
                await call
        assert len(fake.requests) == 3


async def test_what_github_finds_wrong_is_repeated_by_its_field() -> None:
    async with both("github") as (system, fake):
        errors = [{"resource": "Label", "code": "invalid", "field": "name"}]
        fake.faults.append(Fault("POST", Answer(422, {"message": "Validation Failed", "errors": errors})))
        with pytest.raises(Permanent, match=r"answered 422 \(Validation Failed: name\); .*tickets\.github\.token"):
            await system.create(draft())


async def test_a_long_text_fits() -> None:
    async with both("github") as (system, fake):
        await system.create(draft(("- é" + " item" * 40 + "\n") * 400, title="t" * 400))
        body = fake.issues[0]["body"]
        assert body.startswith(f"{MARKER}\n\n- é item item")
        assert body.endswith(f"Cut here; the whole text: respond show {CASE}")
        assert len(fake.issues[0]["title"]) == 256


@pytest.mark.parametrize(
    ("section", "expected", "key"),
    [
        ({"token": "other"}, Unauthenticated, r"Bad credentials\); tickets\.github\.token is wrong or has expired"),
        ({"repository": "contoso/other"}, NotFound, r"tickets\.github\.repository or \.url is wrong"),
    ],
)
async def test_a_wrong_setting_is_named(section: dict[str, Any], expected: type[Permanent], key: str) -> None:
    async with both("github", **section) as (system, fake):
        with pytest.raises(expected, match=key):
            await system.create(draft())
        assert fake.issues == []


async def test_a_token_without_the_permission_is_told_which() -> None:
    async with both("github") as (system, fake):
        fake.faults.append(Fault("POST", Answer(403, {"message": "Resource not accessible by personal access token"})))
        with pytest.raises(Forbidden, match=r"tickets\.github\.token needs to read and write the issues"):
            await system.create(draft())


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tök"])
async def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UsageError, match=r"tickets\.github\.token is empty or holds") as caught:
        async with client(BY_NAME["github"], "https://api.github.com", token=token):
            pass
    assert token not in caught.value.message


async def test_requests_name_the_version_of_the_api_and_who_sends_them() -> None:
    async with both("github") as (system, fake):
        await system.find(CASE)
        headers = fake.requests[0].headers
        assert headers["user-agent"] == "respond"
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["x-github-api-version"]
        assert fake.requests[0].query["state"] == "all"


def test_only_the_list_is_a_read() -> None:
    for base in ("https://api.github.com", "https://github.example/api/v3"):
        assert is_read("GET", f"{base}/repos/contoso/cases/issues?labels=respond-case")
        for method, path in (("POST", "issues"), ("PATCH", "issues/1"), ("PUT", "issues/1/lock"), ("GET", "keys")):
            assert not is_read(method, f"{base}/repos/contoso/cases/{path}")
