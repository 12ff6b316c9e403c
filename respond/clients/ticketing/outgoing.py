"""What requests to ticket systems leave through: the last thing before the socket, for httpx and githubkit alike.

A request is sent once, to the address that the settings name, within one time limit. Whatever is not a success comes
back as an error of our tree, so no client above can repeat it, follow it elsewhere or take it for an answer. What was
never sent is `Transient`, what was sent and not answered is `Unanswered`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from respond.clients.guard import Check
from respond.clients.retry import parse_retry_after
from respond.clients.sent import ILL_BEFORE_WORK, NEVER_SENT
from respond.defang import defang
from respond.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Permanent,
    RespondError,
    Transient,
    Unanswered,
    Unauthenticated,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

_KINDS: dict[int, type[RespondError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict}


@dataclass(frozen=True)
class Refusal:
    """An answer that is not a success.

    Attributes:
        line: what was asked for and what came back, for a message.
        body: empty where it is not a JSON object.
    """

    method: str
    status: int
    headers: httpx.Headers
    body: dict[str, Any]
    line: str


@dataclass(frozen=True)
class Manners:
    """What is particular to one system.

    Attributes:
        name: for messages.
        secret: its token or password; never shown, even if an answer repeats it.
        hints: what to do about a status.
        said: what a refusal says in words, from its body.
        judge: the error that a refusal means, where that is not what its status says.
    """

    name: str
    secret: SecretStr
    hints: Mapping[int, str]
    said: Callable[[dict[str, Any]], str]
    judge: Callable[[Refusal], RespondError | None] = lambda _: None


class Transport(httpx.AsyncHTTPTransport):
    """Sends what passes the check, and raises what was refused.

    Args:
        limit: for the whole of one request and its answer.
    """

    def __init__(self, manners: Manners, *, check: Check, limit: timedelta) -> None:
        super().__init__()
        self._manners = manners
        self._check = check
        self._limit = limit.total_seconds()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._check(request.method, str(request.url))
        request.extensions["timeout"] = dict.fromkeys(("connect", "pool"), self._limit / 2)
        line = f"{self._manners.name}: {request.method} {request.url.path}"
        try:
            async with asyncio.timeout(self._limit):
                answer = await super().handle_async_request(request)
                await answer.aread()
        except NEVER_SENT as error:
            raise Transient(f"{line} could not be sent ({type(error).__name__}); is the URL right?") from error
        except (httpx.RequestError, TimeoutError) as error:
            raise Unanswered(f"{line} was sent and not answered ({type(error).__name__})") from error
        if not answer.is_success:
            raise self._error(answer, request, line)
        return answer

    def _error(self, answer: httpx.Response, request: httpx.Request, line: str) -> RespondError:
        body = json_object(answer)
        said = self._harmless(self._manners.said(body), request)
        text = f"{line} answered {answer.status_code}{f' ({said})' if said else ''}"
        refusal = Refusal(request.method, answer.status_code, answer.headers, body, text)
        if judged := self._manners.judge(refusal):
            return judged
        return _by_status(refusal, self._manners.hints.get(answer.status_code, ""))

    def _harmless(self, said: str, request: httpx.Request) -> str:
        secret = self._manners.secret.get_secret_value()
        for hidden in (request.headers.get("Authorization", "").partition(" ")[2], secret):
            said = said.replace(hidden, "…") if hidden else said
        return defang(" ".join(said.split()))[:200]


def throttled(refusal: Refusal, wait: float | None = None) -> Transient:
    """Not now.

    Args:
        wait: seconds, where Retry-After does not say.
    """
    asked = parse_retry_after(refusal.headers.get("Retry-After"))
    return Transient(refusal.line, retry_after=wait if asked is None else asked, throttled=True)


def _by_status(refusal: Refusal, hint: str) -> RespondError:
    status = refusal.status
    text = f"{refusal.line}; {hint}" if hint else refusal.line
    wait = parse_retry_after(refusal.headers.get("Retry-After"))
    if status in ILL_BEFORE_WORK:
        return Transient(text, retry_after=wait, throttled=status == httpx.codes.TOO_MANY_REQUESTS)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unanswered(text, retry_after=wait)
    if httpx.codes.is_redirect(status) and not hint:
        return Permanent(f"{text}; a redirect is not followed with credentials: set the URL that it leads to")
    return _KINDS.get(status, Permanent)(text)


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """The body, if it is a JSON object; else an empty one."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
