"""Incidents of Microsoft Sentinel through the SecurityInsights REST API. The only module that talks to it.

https://learn.microsoft.com/rest/api/securityinsights/incidents. Microsoft's own package pins an API of 2021 or is a
beta, so the requests are made here, on azure-core. Its retry and redirect policies are left out: tenacity owns
retrying, and a redirect could carry a token elsewhere.

An incident is replaced as a whole: what a PUT does not say is lost, and its etag must be the newest. `update` therefore
reads, edits and writes, and does so again when somebody else was quicker.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from azure.core import AsyncPipelineClient
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import HeadersPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from respond.clients.arm_auth import ArmAuthentication
from respond.clients.credentials import no_token
from respond.clients.guard import Check
from respond.clients.pace import Pace
from respond.clients.renewing import with_fresh_token
from respond.clients.retry import parse_retry_after, retried
from respond.clients.sent import ILL_BEFORE_WORK
from respond.clients.transport import Transport, was_sent
from respond.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Permanent,
    RespondError,
    Service,
    TokenRefused,
    Transient,
    Unanswered,
    Unauthenticated,
)
from respond.models.incident import Incident, IncidentId
from respond.settings import is_loopback_http

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from respond.settings import Retry

API_VERSION = "2025-09-01"
_TOO_MANY = 429
_TABLES_VERSION = "2023-09-01"

Properties = dict[str, Any]
T = TypeVar("T")


class Sentinel:
    """The incidents that the identity may see, by resource id.

    Args:
        endpoint: scheme and host of Azure Resource Manager.
        check: refuses what must not leave.
        pace: the tenant's limits; its own where none is given.
        writer: signs what is not on the read list; the same identity unless given.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        endpoint: str,
        *,
        check: Check,
        retry: Retry,
        pace: Pace | None = None,
        writer: AsyncTokenCredential | None = None,
    ) -> None:
        self._retry = retry
        self._identities = (credential, writer or credential)
        self._root = endpoint.rstrip("/")
        self.scope = f"{self._root}/.default"
        # azure-core refuses to send a token over http; the lab on loopback is the one place where that is right.
        self._options: dict[str, Any] = {"enforce_https": False} if is_loopback_http(self._root) else {}
        timeout = retry.request_timeout.total_seconds()
        self._options |= {"connection_timeout": timeout, "read_timeout": timeout}
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            base_url=self._root,
            policies=[
                HeadersPolicy({"Accept": "application/json"}),
                UserAgentPolicy("respond"),
                ArmAuthentication(credential, writer or credential, self.scope),
            ],
            transport=Transport(Service.SENTINEL, check=check, pace=pace or Pace()),
        )

    async def incident(self, arm_id: str) -> Incident:
        """GET …/incidents/{id}.

        Raises:
            NotFound: no such incident (any more).
            Permanent: `arm_id` is not the id of an incident.
        """
        return await self._read("GET", _path(arm_id), lambda body: _incident(body, arm_id))

    async def entities(self, arm_id: str) -> list[dict[str, Any]]:
        """POST …/incidents/{id}/entities: a read, whatever the method says. Empty for minutes after it was created."""
        return await self._list(f"{_path(arm_id)}/entities", "entities")

    async def alerts(self, arm_id: str) -> list[dict[str, Any]]:
        """POST …/incidents/{id}/alerts: a read, whatever the method says."""
        return await self._list(f"{_path(arm_id)}/alerts", "value")

    async def comment(self, arm_id: str, comment_id: str) -> str | None:
        """The text of one comment; None when there is none of that id, be it for want of the incident."""
        try:
            return await self._read("GET", _comment_path(arm_id, comment_id), _message)
        except NotFound:
            return None

    async def comments_count(self, arm_id: str) -> int:
        """How many comments an incident has, as it says itself."""
        return (await self.incident(arm_id)).comments_count or 0

    async def put_comment(self, arm_id: str, comment_id: str, text: str) -> None:
        """PUT …/comments/{id}: write the comment, or write it anew.

        Raises:
            NotFound: no such incident.
            Permanent: too long, or one comment too many.
        """
        await self._write(_comment_path(arm_id, comment_id), {"properties": {"message": text}})

    async def create(self, arm_id: str, properties: Properties) -> Incident:
        """PUT …/incidents/{id} without an etag: only when there is none of that id.

        Raises:
            Conflict: there is one.
        """
        return _incident(await self._write(_path(arm_id), {"properties": properties}), arm_id)

    async def update(self, arm_id: str, edit: Callable[[Properties], Properties]) -> Incident:
        """Read, edit, write; once more from the start when somebody else wrote in between.

        Args:
            edit: what the properties should be, given what they are. Called once a try; if it changes nothing, nothing
                is written.

        Raises:
            Conflict: somebody else was quicker every time.
            Unanswered: it may have been written: look.
        """
        path = _path(arm_id)

        async def once() -> Incident:
            found = await self.incident(arm_id)
            edited = edit(copy.deepcopy(found.raw))
            if edited == found.raw:
                return found
            body = await self._write(path, {"etag": found.etag, "properties": edited})
            return _incident(body, arm_id)

        return await retried(once, policy=self._retry, is_write=True, only=Conflict)

    def url(self, arm_id: str, comment_id: str = "") -> str:
        """Where an incident, or a comment, is written; a dry run shows it."""
        return self._url(_comment_path(arm_id, comment_id) if comment_id else _path(arm_id))

    async def plan(self, workspace: str, table: str) -> tuple[str, bool]:
        """GET …/workspaces/{name}/tables/{table}: `Analytics`, `Basic` or `Auxiliary`, and whether it is protected.

        https://learn.microsoft.com/rest/api/loganalytics/tables/get

        Args:
            workspace: its resource id, as the settings have it.

        Raises:
            NotFound: no such workspace or table.
        """
        url = f"{self._root}/{quote(workspace.strip('/'))}/tables/{quote(table)}?api-version={_TABLES_VERSION}"

        async def get() -> tuple[str, bool]:
            said = (await self._send(HttpRequest("GET", url))).get("properties")
            properties = said if isinstance(said, dict) else {}
            plan = properties.get("plan")
            if not isinstance(plan, str):
                raise Unanswered(f"{_target(url)}: Azure answered without its plan", service=Service.SENTINEL)
            return plan, str(properties.get("protectionLevel")).lower() == "protected"

        return await retried(get, policy=self._retry)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _url(self, path: str) -> str:
        return f"{self._root}{quote(path)}?api-version={API_VERSION}"

    async def _read(self, method: str, path: str, read: Callable[[dict[str, Any]], T]) -> T:
        """What an answer says; one that does not say it is asked for again."""

        async def once() -> T:
            return read(await self._send(HttpRequest(method, self._url(path))))

        return await retried(once, policy=self._retry)

    async def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        return await self._read("POST", path, lambda body: _objects(body.get(name), f"{_target(path)}: {name}"))

    async def _write(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async def put() -> dict[str, Any]:
            return await self._send(HttpRequest("PUT", self._url(path), json=body))

        return await retried(put, policy=self._retry, is_write=True)

    async def _send(self, request: HttpRequest) -> dict[str, Any]:
        return await with_fresh_token(lambda: self._sent(request), *self._identities)

    async def _sent(self, request: HttpRequest) -> dict[str, Any]:
        target = _target(request.url)
        try:
            answer = await self._client.send_request(request, **self._options)
        except ClientAuthenticationError as error:
            raise Unauthenticated(no_token("Azure Resource Manager", error)) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            kind = Unanswered if was_sent(error) else Transient
            silent = f"{target}: Sentinel did not answer ({type(error).__name__})"
            raise kind(silent, service=Service.SENTINEL) from error
        except HttpResponseError as error:
            raise Unanswered(
                f"{target}: Sentinel's answer was cut off ({type(error).__name__})", service=Service.SENTINEL
            ) from error
        body = _json(answer)
        if not 200 <= answer.status_code < 300:
            raise _from_answer(answer, body, target)
        if body is None:
            raise Unanswered(f"{target}: Sentinel's answer cannot be read", service=Service.SENTINEL)
        return body


def _path(arm_id: str) -> str:
    """The path of an incident, spelled anew from its parts: an id from outside is not trusted."""
    found = IncidentId.read(arm_id)
    if found is None:
        raise Permanent(f"{arm_id!r:.120} is not the id of an incident; expected /subscriptions/…/incidents/NAME")
    return found.path


def _comment_path(arm_id: str, comment_id: str) -> str:
    if not (comment_id.replace("-", "").isalnum() and comment_id.isascii()):
        raise Permanent(f"{comment_id!r:.80} is not the id of a comment; expected letters, digits and dashes")
    return f"{_path(arm_id)}/comments/{comment_id}"


def _target(url: str) -> str:
    if "/tables/" in url:
        return f"table {url.partition('/tables/')[2].partition('?')[0]}"
    return f"incident {url.partition('/incidents/')[2].partition('/')[0].partition('?')[0]}"


def _incident(body: dict[str, Any], arm_id: str) -> Incident:
    found = Incident.read(body)
    if not found.id or not found.raw:
        raise Unanswered(f"incident {arm_id}: Sentinel answered without an incident", service=Service.SENTINEL)
    return found


def _objects(value: object, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unanswered(f"{what}: Sentinel answered without a list", service=Service.SENTINEL)
    return value


def _message(body: dict[str, Any]) -> str:
    properties = body.get("properties")
    message = properties.get("message") if isinstance(properties, dict) else None
    if not isinstance(message, str):
        raise Unanswered("comment: Sentinel answered without its text", service=Service.SENTINEL)
    return message


def _json(answer: AsyncHttpResponse) -> dict[str, Any] | None:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _from_answer(answer: AsyncHttpResponse, body: dict[str, Any] | None, target: str) -> RespondError:
    status = answer.status_code
    error = body.get("error") if body else None
    said = f"{error.get('code') or ''}: {error.get('message') or ''}" if isinstance(error, dict) else ""
    text = f"{target}: Sentinel answered {status} {said}"[:400]
    wait = parse_retry_after(answer.headers.get("Retry-After"))
    if status in ILL_BEFORE_WORK:
        return Transient(text, retry_after=wait, service=Service.SENTINEL, throttled=status == _TOO_MANY)
    is_cut = body is None and "json" in answer.headers.get("Content-Type", "").lower() and bool(answer.content)
    if status >= 500 or is_cut:
        return Unanswered(text, retry_after=wait, service=Service.SENTINEL)
    if status == 404 and not said:
        # Azure names what it does not find; a proxy, or a wrong address, knows nothing of it.
        return Permanent(f"{text}; this is not how Azure says it: check tenant.arm_endpoint")
    kinds: dict[int, type[RespondError]] = {401: TokenRefused, 403: Forbidden, 404: NotFound, 409: Conflict}
    return kinds.get(status, Permanent)(text)
