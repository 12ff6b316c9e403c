"""Microsoft Graph v1.0: finds the route, checks the caller, records writes, unpacks `$batch`."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from respond.lab import faults
from respond.lab.constants import GRAPH_AUDIENCE
from respond.lab.faults import Faults, with_faults
from respond.lab.graph_call import Call, Route
from respond.lab.graph_risk import RiskLimit
from respond.lab.graph_routes import ROUTES
from respond.lab.kql import Engine
from respond.lab.odata import GraphError, bad_request, denied
from respond.lab.state import LabState
from respond.lab.tokens import InvalidToken, Tokens
from respond.lab.web import DropConnection, LabRequest, Malformed, Reply, Untouched
from respond.settings import LabFault

_MOST_IN_BATCH = 20
_KEYED = re.compile(r"(\w+)\((?:(\w+)=)?'((?:[^']|'')*)'\)", re.DOTALL)
_CAST = re.compile(r"(?:microsoft\.)?graph\.(device|group|directoryRole|user)", re.IGNORECASE)


class GraphApi:
    """Answers everything under `/v1.0`.

    Args:
        hunting: gives the engine over the advanced hunting tables.
        risk_per_second: limit of the Identity Protection APIs; 0 for none.
    """

    def __init__(
        self,
        state: LabState,
        tokens: Tokens,
        faults: Faults,
        hunting: Callable[[], Awaitable[Engine]],
        risk_per_second: int = 0,
    ) -> None:
        self._state = state
        self._tokens = tokens
        self._faults = faults
        self._hunting = hunting
        self._risk_limit = RiskLimit(risk_per_second)

    async def answer(self, request: LabRequest) -> Reply:
        """Answer one request, or a batch of them.

        Raises:
            DropConnection: an injected fault says so.
        """
        segments = _segments(request)
        if [segment.lower() for segment in segments] != ["$batch"]:
            return await self._single(request, segments)
        return await with_faults(
            self._faults, request, lambda fault: _fault_reply(request, fault), lambda _: self._batch(request)
        )

    async def _single(self, request: LabRequest, segments: tuple[str, ...]) -> Reply:
        segments, cast = _split_cast(segments)
        route, params = _find(request.method, segments)
        is_write = route.write if route else request.method not in ("GET", "HEAD", "OPTIONS")
        try:
            reply = await with_faults(
                self._faults,
                request,
                lambda fault: _fault_reply(request, fault),
                lambda _: self._work(request, route, params, segments, cast),
            )
        except DropConnection as dropped:
            if is_write:
                self._state.record_write(request.method, request.path, dropped.status, request.text())
            raise
        if is_write:
            status = DropConnection().status if isinstance(reply, Untouched) else reply.status
            self._state.record_write(request.method, request.path, status, request.text())
        return reply

    async def _work(
        self, request: LabRequest, route: Route | None, params: dict[str, str], segments: tuple[str, ...], cast: str
    ) -> Reply:
        try:
            roles = self._roles(request)
            if route is None:
                return _no_route(segments).reply(request)
            if not route.allows(roles):
                return denied().reply(request)
            self._risk_limit.take(segments)
            self._state.catch_up()
            reply = await route.handler(Call(request, params, cast, self._state, self._hunting))
        except GraphError as error:
            return error.reply(request)
        except Malformed as error:
            return bad_request(str(error), "BadRequest").reply(request)
        return Reply(reply.status, reply.body, {"request-id": str(uuid.uuid4()), **reply.headers})

    def _roles(self, request: LabRequest) -> frozenset[str]:
        try:
            return self._tokens.roles(request, GRAPH_AUDIENCE)
        except InvalidToken as error:
            raise GraphError(401, "InvalidAuthenticationToken", str(error), {"WWW-Authenticate": "Bearer"}) from error

    async def _batch(self, request: LabRequest) -> Reply:
        try:
            self._roles(request)
            parts = _read_batch(request)
        except GraphError as error:
            return error.reply(request)
        except Malformed as error:
            return bad_request(str(error), "BadRequest").reply(request)
        tasks: dict[str, asyncio.Task[Reply]] = {}
        async with asyncio.TaskGroup() as group:
            for part in parts:
                needed = [tasks[name.lower()] for name in part.get("dependsOn") or []]
                tasks[part["id"].lower()] = group.create_task(self._part(request, part, needed))
        return Reply(200, {"responses": [_part_reply(part, tasks[part["id"].lower()].result()) for part in parts]})

    async def _part(self, outer: LabRequest, part: dict[str, Any], needed: list[asyncio.Task[Reply]]) -> Reply:
        body = part.get("body")
        inner = LabRequest.of(
            part["method"],
            "/v1.0/" + part["url"].lstrip("/"),
            {name: outer.headers[name] for name in ("authorization", "client-request-id") if name in outer.headers},
            b"" if body is None else json.dumps(body).encode(),
            outer.base_url,
        )
        for task in needed:
            if (await task).status >= 400:
                return GraphError(424, "FailedDependency", "A request that this one depends on has failed.").reply(
                    inner
                )
        return await self._single(inner, _segments(inner))


def _fault_reply(request: LabRequest, fault: LabFault) -> Reply:
    code, message = faults.code_and_message(fault)
    return GraphError(fault.status, code, message, faults.headers(fault)).reply(request)


def _segments(request: LabRequest) -> tuple[str, ...]:
    """Path parts below the version; `users('x')` counts as two, as does `devices(deviceId='x')`."""
    parts: list[str] = []
    for segment in request.segments[1:]:
        keyed = _KEYED.fullmatch(segment)
        if keyed is None:
            parts.append(segment)
            continue
        parts += [f"{keyed[1]}({keyed[2]})" if keyed[2] else keyed[1], keyed[3].replace("''", "'")]
    return tuple(parts)


def _split_cast(segments: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    cast = _CAST.fullmatch(segments[-1]) if segments else None
    return (segments[:-1], cast[1]) if cast else (segments, "")


def _find(method: str, segments: tuple[str, ...]) -> tuple[Route | None, dict[str, str]]:
    for route in ROUTES:
        params = route.match(method, segments)
        if params is not None:
            return route, params
    return None, {}


def _no_route(segments: tuple[str, ...]) -> GraphError:
    if any(route.match(route.method, segments) is not None for route in ROUTES):
        return GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    last = segments[-1] if segments else ""
    return bad_request(
        f"Resource not found for the segment '{last}' (the lab answers a part of Graph only).", "BadRequest"
    )


def _read_batch(request: LabRequest) -> list[dict[str, Any]]:
    if request.method != "POST":
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    body = request.json()
    parts = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(parts, list) or not parts:
        raise bad_request("Invalid batch payload format.", "BadRequest")
    if len(parts) > _MOST_IN_BATCH:
        raise bad_request(
            f"Number of batch request steps exceeds the maximum value of {_MOST_IN_BATCH}.", "MaximumValueExceeded"
        )
    seen: set[str] = set()
    for part in parts:
        if not isinstance(part, dict) or not all(
            isinstance(part.get(name), str) and part[name] for name in ("id", "method", "url")
        ):
            raise bad_request("Every request of a batch needs id, method and url.", "BadRequest")
        if part["id"].lower() in seen:
            raise bad_request(f"Request Id {part['id']} has to be unique in a batch.", "BadRequest")
        needed = part.get("dependsOn") or []
        if not isinstance(needed, list) or not all(isinstance(name, str) and name.lower() in seen for name in needed):
            raise bad_request(f"Request {part['id']} depends on a request that does not come before it.", "BadRequest")
        seen.add(part["id"].lower())
    return parts


def _part_reply(part: dict[str, Any], reply: Reply) -> dict[str, Any]:
    answer = {
        "id": part["id"],
        "status": reply.status,
        "headers": {**reply.headers, "Content-Type": "application/json"},
    }
    return answer if reply.body is None else {**answer, "body": reply.body}
