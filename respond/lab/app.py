"""The lab's ASGI application: one tenant, its tokens, Log Analytics, Graph, Sentinel, and the lab's own pages."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import format_datetime
from typing import Any

from respond.lab import arm_api, arm_tables, clock, logs_api
from respond.lab.arm_api import ArmApi
from respond.lab.client_proofs import ClientProofs
from respond.lab.constants import TENANT_ID, WORKSPACE_ID
from respond.lab.faults import Faults, with_faults
from respond.lab.graph_api import GraphApi
from respond.lab.graph_routes import least_permissions
from respond.lab.logs_api import LogsApi
from respond.lab.state import LabState, now_text
from respond.lab.tenant import LabTenant
from respond.lab.tokens import Tokens
from respond.lab.web import DropConnection, LabRequest, Malformed, Reply
from respond.settings import LabFault, Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_BODY = 4 * 1024 * 1024
_PIECE = 256 * 1024
_KEPT_HEADERS = ("accept", "consistencylevel", "content-type", "prefer")
_QUERY_PATH = re.compile(r"v1/workspaces/[^/]+/query", re.IGNORECASE)
_TOKEN_PATH = re.compile(r"[^/]+/oauth2/v2\.0/token", re.IGNORECASE)
_PUBLISHED_PATH = re.compile(
    r"[^/]+/(discovery/(v2\.0/)?keys|(v2\.0/)?\.well-known/openid-configuration)", re.IGNORECASE
)


class LabApp:
    """Routes requests to the services of one lab tenant.

    Args:
        drop: closes the connection that a scope came over.
    """

    def __init__(self, settings: Settings, state: LabState, tenant: LabTenant, drop: Callable[[Scope], None]) -> None:
        withheld = set(settings.lab.withheld_permissions)
        self._lab = settings.lab
        self._state = state
        self._tenant = tenant
        self._drop = drop
        self._faults = Faults(settings.lab.faults)
        self._tokens = Tokens(
            sorted(least_permissions() - withheld),
            sorted({logs_api.ROLE} - withheld),
            sorted({arm_api.ROLE, arm_tables.ROLE} - withheld),
            {settings.tenant.tenant_id},
            settings.lab.app_roles,
            ClientProofs(settings.lab.client_certificates),
            settings.lab.client_permissions,
        )
        self._logs = LogsApi(settings, self._tokens, tenant.workspace)
        self._graph = GraphApi(
            state, self._tokens, self._faults, tenant.hunting, settings.lab.identity_protection_per_s
        )
        self._arm = ArmApi(
            state.incidents,
            self._tokens,
            self._faults,
            state.record_write,
            tenant.tables,
            settings.lab.basic_tables,
            settings.lab.protected_tables,
        )
        self._requests: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point; takes HTTP only."""
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        request = _request(scope, body or b"")
        entry = {"at": now_text(), "method": request.method, "path": request.path, "status": 0}
        entry |= _as_sent(scope, request)
        self._requests.append(entry)
        try:
            reply = (
                await self._answer(request) if body is not None else Reply(413, {"error": {"code": "RequestTooLarge"}})
            )
        except DropConnection as dropped:
            entry["status"] = dropped.status
            self._drop(scope)
            # the server must see that the client is gone, or it would answer in our place
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        except Exception:
            # the edge of the process: a mistake of the lab's own, logged here and never shown
            logging.getLogger(__name__).exception("%s %s", request.method, request.path)
            reply = Reply(
                500, {"error": {"code": "LabError", "message": "The lab failed on this request; its log says why."}}
            )
        entry["status"] = reply.status
        await _send(reply, send)

    async def _answer(self, request: LabRequest) -> Reply:
        path = "/".join(request.segments)
        if path.startswith("_lab/"):
            return self._own_page(request, path)
        if _QUERY_PATH.fullmatch(path):
            return await with_faults(
                self._faults, request, logs_api.fault_reply, lambda fault: self._logs.answer(request, fault)
            )
        if request.segments[:1] == ("v1.0",):
            await asyncio.sleep(self._lab.graph_latency.total_seconds())
            return await self._graph.answer(request)
        if path.lower().startswith("subscriptions/"):
            await asyncio.sleep(self._lab.arm_latency.total_seconds())
            return await self._arm.answer(request)
        if _TOKEN_PATH.fullmatch(path) and request.method == "POST":
            answer = self._tokens.issue
        elif _PUBLISHED_PATH.fullmatch(path) and request.method == "GET":
            answer = self._tokens.published
        else:
            answer = _no_such_path

        async def work(_: LabFault | None) -> Reply:
            return answer(request)

        return await with_faults(self._faults, request, logs_api.fault_reply, work)

    def _own_page(self, request: LabRequest, path: str) -> Reply:
        pages: dict[str, Callable[[], Any]] = {
            "GET _lab/health": self._health,
            "GET _lab/requests": lambda: self._requests[:-1],
            "GET _lab/writes": self._state.writes,
            "GET _lab/directory": self._state.directory,
            "GET _lab/incidents": self._state.incidents.everything,
            "GET _lab/faults": self._faults.struck,
            "POST _lab/faults": lambda: self._set_faults(request),
            "POST _lab/rotate-keys": lambda: {"keys": self._tokens.keys.rotate()},
        }
        page = pages.get(f"{request.method} {path}")
        if page is None:
            return Reply(404, {"error": {"code": "NotFound", "message": f"One of: {', '.join(pages)}"}})
        return Reply(200, page())

    def _set_faults(self, request: LabRequest) -> dict[str, Any]:
        """Replace the faults of the settings by those in the body, a list of the same."""
        faults = tuple(LabFault.model_validate(fault) for fault in request.json())
        self._faults.set(faults)
        return {"faults": len(faults)}

    def _health(self) -> dict[str, Any]:
        loaded = self._tenant.loaded
        return {
            "status": "ok",
            "title": loaded.story.title,
            "scenario": str(loaded.story.path),
            "loaded_at": loaded.loaded_at.isoformat().replace("+00:00", "Z"),
            "tenant_id": TENANT_ID,
            "workspace_id": WORKSPACE_ID,
        }


def _no_such_path(request: LabRequest) -> Reply:
    message = f"The requested path does not exist: {request.path[:200]}"
    return Reply(404, {"error": {"code": "PathNotFoundError", "message": message}})


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large (it is read to its end all the same, so that the answer arrives)."""
    body, too_large, more = b"", False, True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LARGEST_BODY:
            body, too_large = b"", True
    return None if too_large else body


def _request(scope: Scope, body: bytes) -> LabRequest:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host, port = scope["server"][:2]
    target = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    address = f"[{host}]" if ":" in host else host
    return LabRequest.of(scope["method"], f"{target}?{query}", headers, body, f"http://{address}:{port}")


def _as_sent(scope: Scope, request: LabRequest) -> dict[str, Any]:
    """What a contract is about: the target undecoded, the names in the body, headers. No values and no token."""
    target = f"{scope['raw_path'].decode('latin-1')}?{scope['query_string'].decode('latin-1')}".removesuffix("?")
    try:
        body = request.json()
    except Malformed:
        body = None
    fields = body.items() if isinstance(body, dict) else ()
    names = {name: sorted(value) if isinstance(value, dict) else [] for name, value in fields}
    headers = {name: value for name, value in request.headers.items() if name in _KEPT_HEADERS}
    return {"target": target, "names": names, "has_body": bool(request.body), "headers": headers}


async def _send(reply: Reply, send: Send) -> None:
    with reply.opened() as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        date = format_datetime(clock.now().replace(microsecond=0), usegmt=True)
        headers = {"content-length": str(size), "date": date, **reply.headers}
        if size:
            headers.setdefault("content-type", "application/json; charset=utf-8")
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1", errors="replace"))
            for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        for start in range(0, size or 1, _PIECE):
            await send({"type": "http.response.body", "body": content.read(_PIECE), "more_body": start + _PIECE < size})
