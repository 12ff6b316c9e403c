"""The HTTP face of the front door: `POST /webhooks/sentinel`, `/healthz`, `/readyz`, `/metrics`.

    https://www.rfc-editor.org/rfc/rfc9457

The same paths, answers and problem documents as of a service for one tenant. `/readyz` lists the tenants, and is 503
only when none of them can work: a load balancer that took all away because of one would make that one's trouble theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from respond.observe.logs import Level, log
from respond.observe.metrics import CONTENT_TYPE, Answer
from respond.observe.tenants import TenantFigures
from respond.serving.child import State
from respond.serving.passing import Passing
from respond.webhook import openapi
from respond.webhook.app import ANSWERS, answer, bare_app, healthy
from respond.webhook.body import Held, check_headers, discard_body, read_body
from respond.webhook.problems import Problem
from respond.webhook.routing import Routes

_BETWEEN = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})
"""Headers of the answer that the server writes itself."""


def make_front(routes: Routes, ways: Mapping[str, Passing], figures: TenantFigures, *, within: timedelta) -> FastAPI:
    """The application.

    Args:
        ways: to the tenants' processes, by name.
        within: how long a sender may take for its body.
    """
    app = bare_app()
    door = _Door(routes, ways, figures, within)
    app.add_api_route("/webhooks/sentinel", door.receive, methods=["POST"], **openapi.DELIVER)
    app.add_api_route("/healthz", healthy, methods=["GET"], **openapi.HEALTH)
    app.add_api_route("/readyz", door.ready, methods=["GET"], **openapi.READY)
    app.add_api_route("/metrics", door.figures, methods=["GET"], **openapi.METRICS)
    return app


class _Door:
    def __init__(self, routes: Routes, ways: Mapping[str, Passing], figures: TenantFigures, within: timedelta) -> None:
        self._routes = routes
        self._ways = ways
        self._figures = figures
        self._within = within
        self._unknown = Held()

    async def receive(self, request: Request) -> Response:
        """Take one delivery of Microsoft Sentinel: the body that a Logic App forwards as `@triggerBody()`."""
        try:
            name, body = await self._whose(request)
            answered = await self._ways[name].deliver(request.url.path, request.headers.raw, body)
        except Problem as problem:
            self._figures.refused(ANSWERS.get(problem.status, Answer.FAILED))
            log("delivery-refused", level=Level.WARNING, status=problem.status.value, reason=problem.line)
            return answer(problem)
        self._figures.passed_on(name, answered=True)
        headers = {key: value for key, value in answered.headers.items() if key.lower() not in _BETWEEN}
        return Response(answered.content, answered.status_code, headers)

    async def _whose(self, request: Request) -> tuple[str, bytes]:
        try:
            name = self._routes.unread(request.headers)
            check_headers(request.headers)
            # A token only names its tenant here; whether it is good is found out there.
            with self._unknown.account() as keep:
                body = await read_body(request.receive, within=self._within, keep=keep)
        except Problem as problem:
            if "expect" not in request.headers and problem.status is not HTTPStatus.REQUEST_TIMEOUT:
                await discard_body(request.receive)
            raise
        return name or self._routes.read(request.headers, body), body

    async def ready(self) -> Response:
        """The tenants by name, whether each can take deliveries and work on them, and what it says beside that."""
        states = {name: way.child.state for name, way in self._ways.items()}
        ready = [name for name, state in states.items() if state is State.READY]
        status = "ready" if len(ready) == len(states) else "partly-ready" if ready else "not-ready"
        code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        headers = {} if ready else {"Retry-After": "30"}
        beside = {
            member: told
            for member, key in (("modes", "mode"), ("failing", "failing"), ("passed_over", "passed_over"))
            if (told := {name: way.told(key) for name, way in self._ways.items() if way.told(key)})
        }
        return JSONResponse({"status": status, "tenants": states} | beside, code, headers)

    async def figures(self) -> Response:
        """Figures of the front and, under the label `tenant`, of every tenant's process, for Prometheus."""
        told = await asyncio.gather(*(way.figures() for way in self._ways.values()))
        of_tenants = {name: text for name, text in zip(self._ways, told, strict=True) if text is not None}
        text = await asyncio.to_thread(self._figures.text, of_tenants)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})
