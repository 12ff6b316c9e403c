"""Log Analytics queries through azure-monitor-query. The only module that imports it.

https://learn.microsoft.com/azure/azure-monitor/logs/api/overview. The SDK's own retries are off. Partial results
are returned and marked, never passed off as whole. Each answer is one of three: rows, "refused" (`Permanent`), or "no
answer, try again" (`Transient`); the SDK reads JSON whatever came, so what it raises says nothing about the status.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.monitor.query.aio import LogsQueryClient

from respond.clients.credentials import no_token
from respond.clients.degrade import unresolved
from respond.clients.guard import Check
from respond.clients.log_answer import Rows, no_answer, read_rows
from respond.clients.pace import Pace
from respond.clients.renewing import with_fresh_token
from respond.clients.retry import parse_retry_after, retried
from respond.clients.transport import Transport
from respond.errors import (
    BadQuery,
    Forbidden,
    NotTheService,
    Permanent,
    RespondError,
    Service,
    TableMissing,
    TokenRefused,
    Transient,
    Unauthenticated,
)
from respond.settings import is_loopback_http

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from respond.settings import Retry


ROW_LIMIT = 500_000
"""Rows of one answer; one that reaches it counts as cut off, whether the service says so or not."""

_LARGE = 256 * 1024
"""Bytes of an answer that is read beside the event loop: an attacker decides how many there are."""


class Absent:
    """What a workspace was found to lack, and what it said: remembered for a while, because tables get connected.

    Args:
        lasts: how long.
    """

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts.total_seconds()
        self._said: dict[str, tuple[float, str]] = {}

    def add(self, name: str, reason: str) -> None:
        self._said[name] = (time.monotonic(), reason)

    def known(self) -> dict[str, str]:
        """Name of a table or column -> what the service said about it."""
        now = time.monotonic()
        return {name: reason for name, (at, reason) in self._said.items() if now - at < self._lasts}


class Logs:
    """Queries on one workspace.

    Args:
        endpoint: scheme and host, with or without `/v1`.
        check: refuses what must not leave.
        pace: the tenant's limits; its own where none is given.
        absent_for: how long a table or column that was missing is not asked for again.
        row_limit: rows at which the service ends an answer.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        endpoint: str,
        workspace_id: str,
        *,
        check: Check,
        retry: Retry,
        pace: Pace | None = None,
        absent_for: timedelta = timedelta(0),
        row_limit: int = ROW_LIMIT,
    ) -> None:
        self._retry = retry
        pace = pace or Pace()
        self._clock = pace.service_clock
        self._identity = credential
        base = endpoint.rstrip("/").removesuffix("/v1")
        # azure-core refuses to send a token over http; the lab on loopback is the one place where that is right.
        self._options: dict[str, Any] = {"enforce_https": False} if is_loopback_http(base) else {}
        self.scope = f"{_audience(base)}/.default"
        self._sdk = LogsQueryClient(
            credential,
            endpoint=f"{base}/v1",
            audience=_audience(base),
            transport=Transport(Service.LOGS, check=check, pace=pace),
            retry_total=0,
        )
        self.absent = Absent(absent_for)
        self._row_limit = row_limit
        self.queries = 0
        self._workspace = workspace_id
        self._timeout = retry.request_timeout.total_seconds()

    async def query(self, text: str, *, start: datetime | None = None, whole: bool = False) -> Rows:
        """Run one query.

        Args:
            whole: a partial answer is a failure that is worth another try, unless it is as large as one may be.
            start: the service itself keeps to rows that arrived since then; None leaves time to the query.

        Raises:
            TableMissing: a table or column is not there; the source is not connected, or on another schema.
            BadQuery: the service does not take the text.
            Forbidden, Unauthenticated, Transient: as named.
        """

        async def once() -> Rows:
            rows = await with_fresh_token(lambda: self._once(text, start), self._identity)
            if whole and rows.partial and not rows.full:
                cut = f"Log Analytics sent only part of the rows: {rows.partial}"
                raise Transient(cut, service=Service.LOGS)
            return rows

        return await retried(once, policy=self._retry)

    async def _once(self, text: str, start: datetime | None) -> Rows:
        self.queries += 1
        answer = _Answer()
        try:
            await self._sdk.query_workspace(
                self._workspace,
                text,
                timespan=(start, self._clock.now()) if start else None,
                server_timeout=round(self._timeout),
                read_timeout=self._timeout + 5,
                raw_response_hook=answer.keep,
                # The SDK would read it several times over, on the event loop, and make a model of every row.
                stream=True,
                cls=answer.keep_body,
                **self._options,
            )
            await answer.read()
        except ClientAuthenticationError as error:
            if error.status_code is None:
                raise Unauthenticated(no_token("Log Analytics", error)) from error
            raise _refused(error.status_code, error.response) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            silent = f"Log Analytics did not answer ({type(error).__name__})"
            raise Transient(silent, service=Service.LOGS) from error
        except RespondError:
            raise
        except Exception as error:
            # An error of HTTP, or of reading: a page of a proxy, half an answer, or none.
            if answer.status >= 300:
                raise _refused(answer.status, answer.response) from error
            raise no_answer(f"something that cannot be read ({type(error).__name__})") from error
        rows = answer.rows
        if len(rows) >= self._row_limit:
            rows.partial = rows.partial or f"it ends at {self._row_limit:,} rows"
            rows.full = True
        return rows

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()


def _audience(base: str) -> str:
    # Both of Azure's public hosts take tokens for the older name; elsewhere the host is the audience.
    return "https://api.loganalytics.io" if base.endswith(".loganalytics.azure.com") else base


class _Answer:
    """What came back for one query, as the SDK's hooks show it.

    Attributes:
        response: the last one, whatever its status; None when there was none.
        rows: what was read of it.
    """

    def __init__(self) -> None:
        self.response: Any = None
        self.rows = Rows()

    @property
    def status(self) -> int:
        return self.response.status_code if self.response is not None else 0

    def keep(self, answer: Any) -> None:
        self.response = answer.http_response

    def keep_body(self, answer: Any, _body: Any, _headers: Any) -> dict[str, Any]:
        """Leave the answer unread for now."""
        self.response = answer.http_response
        return {}

    async def read(self) -> None:
        """Read the answer here: the SDK takes a short row, or one without a table, as it is.

        Raises:
            Transient: it is none.
        """
        content = await self.response.read()
        if len(content) > _LARGE:
            self.rows = await asyncio.to_thread(lambda: read_rows(json.loads(content)))
        else:
            self.rows = read_rows(json.loads(content))


def _refused(status: int, response: Any) -> RespondError:
    code, reason = _innermost(response)
    text = f"Log Analytics answered {status} {code}: {reason or 'no reason given'}"[:400]
    if status == 401:
        return TokenRefused(text)
    if status in (408, 429) or status >= 500:
        headers: Mapping[str, str] = getattr(response, "headers", {})
        asked = parse_retry_after(headers.get("Retry-After"))
        return Transient(text, retry_after=asked, service=Service.LOGS, throttled=status == 429)
    if not (code or reason):
        # The service gives a reason for whatever it refuses; a proxy, or a wrong address, does not.
        return NotTheService(f"{text}; this is not how Log Analytics says it: check tenant.logs_endpoint")
    if status in (403, 404):
        lost = f"{text}; check tenant.workspace_id and tenant.logs_endpoint"
        return Forbidden(text) if status == 403 else Permanent(lost)
    if missing := unresolved(reason):
        return TableMissing(f"the workspace has no table or column named {missing}", missing)
    return BadQuery(text)


def _innermost(response: Any) -> tuple[str, str]:
    """Code and message of the deepest `innererror`: the outer ones only say that a query was bad."""
    try:
        body = response.json() if response is not None else {}
    except Exception:  # noqa: BLE001 - unread or no JSON: the status says what there is to say
        body = {}
    node = body.get("error", {}) if isinstance(body, dict) else {}
    code, message = "", ""
    while isinstance(node, dict) and node:
        code, message = str(node.get("code") or code), " ".join(str(node.get("message") or message).split())
        node = node.get("innererror") or node.get("innerError") or {}
    return code, message
