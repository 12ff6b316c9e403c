"""The Log Analytics query API.

POST /v1/workspaces/{id}/query
https://learn.microsoft.com/azure/azure-monitor/logs/api/overview
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from respond.errors import UsageError
from respond.lab import basic_plan, clock, faults
from respond.lab.columns import sentinel_tables
from respond.lab.constants import LOGS_AUDIENCE, WORKSPACE_ID
from respond.lab.kql import Engine
from respond.lab.kql_answer import Answer
from respond.lab.kql_errors import QueryError, QueryTimeout
from respond.lab.timespan import read_window
from respond.lab.tokens import InvalidToken, Tokens
from respond.lab.web import LabRequest, Malformed, Reply
from respond.settings import LabFault, Settings

ROLE = "Data.Read"
"""Stands for the role Log Analytics Reader on the workspace; withheld like a permission."""

_INVALID = "The request had some invalid properties"
_QUEUE = 200
_IN_MEMORY = 16 * 1024 * 1024
_DEFAULT_WAIT, _LONGEST_WAIT = 180, 600


class LogsApi:
    """Answers queries over one workspace.

    Args:
        engine: gives the engine of the story in force; waits until its tables are loaded.

    Raises:
        UsageError: `lab.basic_tables` or `lab.protected_tables` names something else than a table.
    """

    def __init__(self, settings: Settings, tokens: Tokens, engine: Callable[[], Awaitable[Engine]]) -> None:
        for key, named in (("basic", settings.lab.basic_tables), ("protected", settings.lab.protected_tables)):
            if unknown := sorted(set(named) - set(sentinel_tables())):
                raise UsageError(f"lab.{key}_tables: no table of the workspace is called {unknown[0]!r}")
        self._lab = settings.lab
        self._workspace = (settings.tenant.workspace_id or WORKSPACE_ID).lower()
        self._tokens = tokens
        self._engine = engine
        self._recent: deque[float] = deque()
        self._running = asyncio.Semaphore(settings.lab.concurrent_queries)
        # First come, first served: as many as there are processors, or all of them would end late and together.
        self._computing = asyncio.Semaphore(os.cpu_count() or 1)
        self._latency = settings.lab.logs_latency.total_seconds()
        self._waiting = 0

    async def answer(self, request: LabRequest, fault: LabFault | None = None) -> Reply:
        """Answer `POST /v1/workspaces/{id}/query`; `fault` can only be of kind `partial` here."""
        refusal = self._check_caller(request)
        if refusal is not None:
            return refusal
        # the service answers these with nothing at all, and 200
        if not request.body or "content-type" not in request.headers:
            return Reply(200)
        try:
            query, timespan = _read_body(request)
            window = read_window(timespan, clock.now()) if timespan else None
        except (Malformed, ValueError) as error:
            return _error(400, "BadArgumentError", f"{_INVALID}: {error}")
        refusal = self._throttled()
        if refusal is not None:
            return refusal
        self._waiting += 1
        async with self._running:
            self._waiting -= 1
            # A slow query keeps its place: the limit on queries at once is a limit on all of them.
            await asyncio.sleep(self._latency)
            engine = await self._engine()
            async with self._computing:
                handover = _Handover()
                try:
                    return await asyncio.to_thread(
                        lambda: handover.give(self._run(engine, query, window, _wait(request), fault))
                    )
                except asyncio.CancelledError:
                    handover.lose()
                    raise

    def _check_caller(self, request: LabRequest) -> Reply | None:
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", "The requested resource supports POST.")
        try:
            roles = self._tokens.roles(request, LOGS_AUDIENCE)
        except InvalidToken as error:
            code = "AuthorizationRequiredError" if "empty" in str(error) else "InvalidTokenError"
            return _error(401, code, f"Valid authentication was not provided: {error}", {"WWW-Authenticate": "Bearer"})
        if request.segments[2].lower() != self._workspace:
            return _error(404, "WorkspaceNotFoundError", f"The workspace {request.segments[2]} could not be found")
        if ROLE not in roles:
            return _error(
                403,
                "InsufficientAccessError",
                "The provided credentials have insufficient access to perform the requested operation",
            )
        return None

    def _throttled(self) -> Reply | None:
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 30:
            self._recent.popleft()
        if len(self._recent) >= self._lab.queries_per_30s:
            wait = max(1, round(30 - (now - self._recent[0]) + 0.5))
            return _error(429, "ThrottledError", "Too many requests in 30 seconds", {"Retry-After": str(wait)})
        if self._waiting >= _QUEUE:
            return _error(429, "ThrottledError", "Too many queries are waiting", {"Retry-After": "1"})
        self._recent.append(now)
        return None

    def _run(self, engine: Engine, query: str, window: Any, wait: int, fault: LabFault | None) -> Reply:
        if reason := basic_plan.refusal(query, self._lab.basic_tables, sentinel_tables()):
            return _refused(basic_plan.CODE, reason)
        limit = self._lab.row_limit
        for table in self._lab.protected_tables:
            query = re.sub(rf"(?<![\w\"']){table}(?![\w\"'])", f"{table} | where 1 == 2", query)
        try:
            with engine.ask(query, window=window, row_limit=limit, timeout=timedelta(seconds=wait)) as answer:
                return Reply(200, content=_written(answer, limit, fault))
        except QueryError as error:
            return _query_error(error)
        except QueryTimeout:
            return _error(504, "GatewayTimeout", f"The query did not finish in {wait} seconds")


class _Handover:
    """A reply on its way from the thread that made it to whoever sends it: closed if nobody takes it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost = False
        self._reply: Reply | None = None

    def give(self, reply: Reply) -> Reply:
        with self._lock:
            self._reply = reply
            if self._lost:
                reply.close()
        return reply

    def lose(self) -> None:
        with self._lock:
            self._lost = True
            if self._reply:
                self._reply.close()


def fault_reply(fault: LabFault) -> Reply:
    """The answer of a struck request, in this service's shape."""
    return _error(fault.status, *faults.code_and_message(fault), faults.headers(fault))


def _read_body(request: LabRequest) -> tuple[str, str]:
    body = request.json()
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise Malformed("'query' must be a string")
    timespan = body.get("timespan")
    if timespan is not None and not isinstance(timespan, str):
        raise Malformed("'timespan' must be an ISO 8601 duration or interval")
    return body["query"], timespan or ""


def _wait(request: LabRequest) -> int:
    match = re.search(r"\bwait=(\d{1,6})", request.headers.get("prefer", ""))
    return min(max(1, int(match[1])), _LONGEST_WAIT) if match else _DEFAULT_WAIT


def _written(answer: Answer, row_limit: int, fault: LabFault | None) -> IO[bytes]:
    """The body of an answer, written as its rows come: there may be more of them than should be in memory at once."""
    with ExitStack() as stack:
        content: IO[bytes] = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        columns = [{"name": column.name, "type": column.type} for column in answer.columns]
        content.write(f'{{"tables": [{{"name": "PrimaryResult", "columns": {json.dumps(columns)}, "rows": ['.encode())
        for number, rows in enumerate(answer):
            content.write((", " if number else "").encode() + json.dumps(rows)[1:-1].encode())
        content.write(b"]}]")
        if not answer.complete or fault is not None:
            error = _partial(row_limit if fault is None else None)
            content.write(f', "error": {json.dumps(error)}'.encode())
        content.write(b"}")
        stack.pop_all()  # from here on, closing it is for whoever sends it
        return content


_TOO_LARGE = "-2133196797"
"""E_QUERY_RESULT_SET_TOO_LARGE."""


def _partial(row_limit: int | None) -> dict[str, Any]:
    engine: dict[str, Any] = {
        "code": "EngineError",
        "message": "Injected fault: some of the data could not be read.",
    }
    if row_limit is not None:
        reason = f"The results of this query exceed the set limit of {row_limit} records."
        engine = {"code": "EngineError", "message": reason, "innererror": {"code": _TOO_LARGE, "message": reason}}
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [engine],
    }


def _query_error(error: QueryError) -> Reply:
    inner: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.code == "SyntaxError":
        place = {"line": error.line, "pos": error.position, "token": error.token}
        inner = {
            "code": "SyntaxError",
            "message": "A recognition error occurred in the query.",
            "innererror": {"code": "SYN0002", "message": str(error), **place},
        }
    elif error.code == "SemanticError":
        inner = {
            "code": "SemanticError",
            "message": "A semantic error occurred.",
            "innererror": {"code": "SEM0100", "message": str(error)},
        }
    return _error(400, "BadArgumentError", _INVALID, innererror=inner)


def _refused(code: str, message: str) -> Reply:
    return _error(400, "BadArgumentError", _INVALID, innererror={"code": code, "message": message})


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    error = {"message": message, "code": code, "correlationId": str(uuid.uuid4()), **more}
    return Reply(status, {"error": error}, headers or {})
