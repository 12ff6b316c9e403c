"""Tickets as issues of a GitHub repository, through githubkit.

    GET   /repos/{owner}/{repo}/issues?labels=respond-case&state=all
    POST  /repos/{owner}/{repo}/issues
    PATCH /repos/{owner}/{repo}/issues/{number}
    https://docs.github.com/rest/issues/issues

The first line of the body is a comment that names the case and that nobody sees. Issues are listed by label and their
first lines compared; the search index, which lags, is not asked. GitHub takes no key that makes creating repeatable.

An issue is listed as soon as it is there, but GitHub may still be at work on a request that we have given up; it ends
those after 10 seconds (https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api), hence `lags`.

Leaves open: a token that may not set labels creates issues that cannot be found again; it needs "Issues: read and
write".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx

from respond.clients.guard import Check
from respond.clients.ticketing import formats
from respond.clients.ticketing.markup import one_line
from respond.clients.ticketing.outgoing import Manners, Refusal, Transport, throttled
from respond.clients.ticketing.wire import checked_key, objects
from respond.errors import NotFound, Permanent, RespondError, Unanswered, UsageError
from respond.models.tickets import Draft, Found
from respond.present import present
from respond.settings import Retry, Tickets

if TYPE_CHECKING:
    from githubkit import Response

LABEL = "respond-case"
_LONGEST_TITLE = 256
_A_PAGE = 100
_MOST_PAGES = 50


class GitHub:
    """The issues of one repository.

    Args:
        settings: `tickets`; the section `github` is complete.

    Raises:
        UsageError: no header can carry the token.
    """

    name = "github"
    lags = timedelta(seconds=10)

    def __init__(self, settings: Tickets, *, check: Check, retry: Retry) -> None:
        import githubkit

        ours = settings.github
        if not re.fullmatch(r"[\x21-\x7e]+", ours.token.get_secret_value()):
            raise UsageError("tickets.github.token is empty or holds a space or a sign outside ASCII; copy it again")
        self._owner, _, self._repo = ours.repository.partition("/")
        manners = Manners(
            name="GitHub",
            secret=ours.token,
            hints={
                301: f"{ours.repository} was renamed or the issue moved; set tickets.github.repository",
                401: "tickets.github.token is wrong or has expired",
                403: f"tickets.github.token needs to read and write the issues of {ours.repository}",
                404: f"tickets.github.repository or .url is wrong, or the token cannot see {ours.repository}",
                410: f"issues are disabled in {ours.repository}; enable them in its settings",
                422: f"GitHub does not take the issue; tickets.github.token has to be able to set label {LABEL}",
            },
            said=_said,
            judge=_judge,
        )
        self._transport = Transport(manners, check=check, limit=retry.request_timeout)
        self._github = githubkit.GitHub(
            ours.token.get_secret_value(),
            base_url=ours.url,
            user_agent="respond",
            follow_redirects=False,
            async_transport=_Kept(self._transport),
            auto_retry=False,
            http_cache=False,
        )

    @classmethod
    def of(cls, settings: Tickets, *, check: Check, retry: Retry) -> Self:
        return cls(settings, check=check, retry=retry)

    async def find(self, key: str) -> Found | None:
        """The issue whose first line names the case, open or closed; the newest, if there are several."""
        marker = _marker(key)
        for page in range(1, _MOST_PAGES + 1):
            listed = self._github.rest.issues.async_list_for_repo(
                self._owner,
                self._repo,
                labels=LABEL,
                state="all",
                sort="created",
                direction="desc",
                per_page=_A_PAGE,
                page=page,
            )
            answer = await _sent(listed)
            for issue in _objects(answer):
                if str(issue.get("body") or "").partition("\n")[0].rstrip() == marker and "pull_request" not in issue:
                    return _found(issue)
            if "next" not in answer.raw_response.links:
                return None
        raise Permanent(
            f"GitHub: none of the newest {_MOST_PAGES * _A_PAGE} issues with label {LABEL} is that of case {key}; "
            "take the label off old ones"
        )

    async def create(self, draft: Draft) -> Found:
        labels = [LABEL, *(label for tag in draft.tags if (label := one_line(tag, 50).replace(",", " ").strip()))]
        made = self._github.rest.issues.async_create(
            self._owner, self._repo, title=_title(draft), body=_body(draft), labels=labels
        )
        return _found(_object(await _sent(made)))

    async def update(self, found: Found, draft: Draft) -> None:
        """Write title and text. Labels, state and assignees belong to people."""
        number = int(found.handle)
        written = self._github.rest.issues.async_update(
            self._owner, self._repo, number, title=_title(draft), body=_body(draft)
        )
        if _found(_object(await _sent(written))).handle != found.handle:
            raise Unanswered(f"GitHub: the answer is about another issue than {found.id}")

    async def close(self) -> None:
        await self._transport.aclose()


class _Kept(httpx.AsyncBaseTransport):
    """Githubkit makes a client for each request and closes it; the connections stay open until we close them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)


async def _sent(call: Awaitable[Response[Any, Any]]) -> Response[Any, Any]:
    """The answer, or the error that the transport raised and githubkit wrapped."""
    from githubkit.exception import RequestError

    try:
        return await call
    except RequestError as error:
        if isinstance(error.exc, RespondError):
            raise error.exc from error
        raise


def _marker(key: str) -> str:
    return f"<!-- respond: {checked_key(key)} -->"


def _title(draft: Draft) -> str:
    return one_line(draft.title, _LONGEST_TITLE)


def _body(draft: Draft) -> str:
    return formats.github(draft, first=_marker(draft.key))


def _objects(answer: Response[Any, Any]) -> list[dict[str, Any]]:
    """Read as it came: an Enterprise Server of another age need not fit githubkit's models."""
    return objects(_json(answer), "GitHub: the answer holds no list of issues")


def _object(answer: Response[Any, Any]) -> dict[str, Any]:
    found = _json(answer)
    return found if isinstance(found, dict) else {}


def _json(answer: Response[Any, Any]) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        raise Unanswered("GitHub: the answer cannot be read; is tickets.github.url right?") from error


def _found(issue: dict[str, Any]) -> Found:
    number = issue.get("number")
    if not isinstance(number, int):
        raise Unanswered("GitHub: the answer names no issue")
    return Found(handle=str(number), id=f"#{number}", url=str(issue.get("html_url") or ""))


def _said(body: dict[str, Any]) -> str:
    listed = body.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    fields = [str(error.get("field") or error.get("message") or "") for error in errors]
    return ": ".join(part for part in (str(body.get("message") or ""), ", ".join(filter(None, fields))) if part)


def _judge(refusal: Refusal) -> RespondError | None:
    """A limit answers 403 as well, and says when to come back; a deleted issue 410, as disabled ones do."""
    if refusal.status == 403 and "Retry-After" in refusal.headers:
        return throttled(refusal)
    if refusal.status in (403, 429) and refusal.headers.get("x-ratelimit-remaining") == "0":
        return throttled(refusal, _until(refusal.headers.get("x-ratelimit-reset", "")))
    if refusal.status == 410 and refusal.method == "PATCH":
        return NotFound(refusal.line)
    return None


def _until(reset: str) -> float | None:
    """Seconds until a point in time, given in seconds of the epoch."""
    return max(0.0, float(reset) - present().timestamp()) if reset.isdecimal() else None
