"""The HTTP face of the service: `POST /webhooks/sentinel`, `/healthz`, `/readyz`, `/metrics`.

    https://learn.microsoft.com/azure/sentinel/playbook-triggers-actions
    https://www.rfc-editor.org/rfc/rfc9457

A delivery is answered with 202 when it has been written down, and not before. What is refused is refused with a problem
document and one log line. The cheapest checks come first: nobody unknown has a body read that a header refuses.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from respond import __version__
from respond.errors import InvalidNotice, Overloaded, RespondError, Transient
from respond.models.intake import Accepted
from respond.models.notice import Notice, Shape
from respond.observe.logs import Level, log
from respond.observe.metrics import CONTENT_TYPE, Answer, Metrics
from respond.observe.setbacks import SETBACKS
from respond.observe.traces import continued
from respond.plain_errors import named
from respond.response_mode import ResponseMode
from respond.webhook import openapi
from respond.webhook.callers import How
from respond.webhook.gate import Gate
from respond.webhook.intake import take
from respond.webhook.payload import delivery_key, read_notice
from respond.webhook.problems import NotAllowed, Problem
from respond.webhook.signatures import signed_at

_RETRY_AFTER = "30"
ANSWERS = {
    HTTPStatus.BAD_REQUEST: Answer.MALFORMED,
    HTTPStatus.UNAUTHORIZED: Answer.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: Answer.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT: Answer.TOO_SLOW,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Answer.TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Answer.NOT_JSON,
    HTTPStatus.UNPROCESSABLE_ENTITY: Answer.MALFORMED,
    HTTPStatus.TOO_MANY_REQUESTS: Answer.OVERLOADED,
}


class Door(Protocol):
    """What stands behind the webhook."""

    async def take(self, notice: Notice, *, key: str, by: str) -> Accepted:
        """Write a delivery down.

        Raises:
            Overloaded: too many wait.
            Transient: it cannot be written down just now.
        """

    async def ready(self) -> str:
        """Why it cannot work just now; empty when it can."""


@dataclass(frozen=True)
class Limits:
    """What the webhook holds senders to.

    Attributes:
        within: how long a sender may take for its body.
        workspace_id: of Log Analytics, whose incidents are answered here.
        workspace: resource id of the same workspace; empty where the settings do not name it.
    """

    within: timedelta
    workspace_id: str
    workspace: str = ""


def bare_app() -> FastAPI:
    """An application without paths, that shows nobody more than it has to."""
    app = FastAPI(
        title="respond",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # A redirect would be made of the Host header, which is the sender's.
        redirect_slashes=False,
        # Its own spans would hold queries and exception texts; ours hold no personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_exception_handler(HTTPException, no_such_page)
    app.add_exception_handler(Exception, defect)
    return app


def make_app(
    door: Door, gate: Gate, metrics: Metrics, limits: Limits, *, mode: ResponseMode = ResponseMode.AUTO
) -> FastAPI:
    """The application; whoever runs it is the edge of the process.

    Args:
        mode: `/readyz` says how far the service goes without a person.
    """
    app = bare_app()
    hook = _Hook(door, gate, metrics, limits)
    app.add_api_route("/webhooks/sentinel", hook.receive, methods=["POST"], **openapi.DELIVER)
    app.add_api_route("/healthz", healthy, methods=["GET"], **openapi.HEALTH)
    app.add_api_route("/readyz", _ready(door, mode), methods=["GET"], **openapi.READY)
    app.add_api_route("/metrics", _figures(metrics), methods=["GET"], **openapi.METRICS)
    return app


class _Hook:
    def __init__(self, door: Door, gate: Gate, metrics: Metrics, limits: Limits) -> None:
        self._door = door
        self._gate = gate
        self._metrics = metrics
        self._limits = limits

    async def receive(self, request: Request) -> Response:
        """Take one delivery of Microsoft Sentinel: the body that a Logic App forwards as `@triggerBody()`."""
        began = time.perf_counter()
        shape: Shape | None = None
        try:
            with continued(request.headers):
                notice, key, by = await self._read(request)
                shape = notice.shape
                accepted = await self._door.take(notice, key=key, by=by)
        except Overloaded as error:
            return self._refuse(_later(HTTPStatus.TOO_MANY_REQUESTS, error), shape, began)
        except Transient as error:
            return self._refuse(_later(HTTPStatus.SERVICE_UNAVAILABLE, error), shape, began)
        except Problem as problem:
            return self._refuse(problem, shape, began)
        came_to = Answer.DUPLICATE if accepted.duplicate else Answer.ACCEPTED
        seconds = time.perf_counter() - began
        self._metrics.delivery(shape, came_to, seconds)
        log(
            "delivery",
            answer=came_to,
            shape=shape,
            delivery=accepted.key,
            by=by,
            incident=notice.incident or None,
            accounts=len(notice.accounts),
            seconds=round(seconds, 4),
        )
        told = {"cases": list(accepted.cases), "duplicate": accepted.duplicate, "delivery": accepted.key}
        return JSONResponse(told, HTTPStatus.ACCEPTED)

    async def _read(self, request: Request) -> tuple[Notice, str, str]:
        caller, said = await take(self._gate, request.headers, request.receive, within=self._limits.within)
        try:
            notice = read_notice(said)
        except InvalidNotice as error:
            where = f"{error.where}: " if error.where else ""
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}{error.what}") from None
        if is_elsewhere(notice, self._limits):
            raise NotAllowed("the delivery is of another workspace than the one that is answered for here")
        # A signed request that is sent again has the key that it had: its own time is told, not ours.
        moment = signed_at(request.headers) if caller.how is How.SIGNATURE else datetime.now(UTC)
        return notice, _key(notice, said, moment), caller.id

    def _refuse(self, problem: Problem, shape: Shape | None, began: float) -> Response:
        self._metrics.delivery(shape, ANSWERS.get(problem.status, Answer.FAILED), time.perf_counter() - began)
        log("delivery-refused", level=Level.WARNING, status=problem.status.value, reason=problem.line)
        return answer(problem)


def is_elsewhere(notice: Notice, limits: Limits) -> bool:
    """Whether a delivery names another workspace: by its id, or by the path of its incident or alert."""
    if notice.workspace_garbled or (notice.workspace_id and notice.workspace_id.lower() != limits.workspace_id.lower()):
        return True
    return bool(limits.workspace and notice.workspace and notice.workspace.is_not(limits.workspace))


def _later(status: HTTPStatus, error: RespondError) -> Problem:
    return Problem(status, error.message, headers={"Retry-After": _RETRY_AFTER})


def _key(notice: Notice, said: object, now: datetime) -> str:
    """The same for every retry of a sender, and for no more than that: without an event's id, only for a while.

    Args:
        now: when it was sent, as far as that is certain.
    """
    if notice.shape is Shape.EMPTY:  # nothing would tell two presses of the button apart; within a minute they are one
        return f"button/{now:%Y-%m-%dT%H:%M}"
    if notice.is_by_hand:
        return f"{delivery_key(said)}/{now:%Y-%m-%dT%H:%M}"
    return delivery_key(said) if notice.event_id else f"{delivery_key(said)}/{now:%Y-%m-%dT%H}"


def answer(problem: Problem) -> Response:
    """What a problem looks like on the wire."""
    return Response(problem.document(), problem.status, dict(problem.headers))


async def healthy() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


def _ready(door: Door, mode: ResponseMode) -> Callable[[], Awaitable[Response]]:
    async def ready() -> Response:
        """The service can take deliveries and work on them; what fails beside that is named."""
        if reason := await door.ready():
            return answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, reason, headers={"Retry-After": _RETRY_AFTER}))
        beside = {"failing": dict(SETBACKS.failing()), "passed_over": dict(SETBACKS.passed_over())}
        ready = {"status": "ready", "mode": mode}
        return JSONResponse(ready | {name: told for name, told in beside.items() if told})

    return ready


def _figures(metrics: Metrics) -> Callable[[], Awaitable[Response]]:
    async def figures() -> Response:
        """Figures of this process, for Prometheus."""
        return Response(await _beside(metrics.text), headers={"Content-Type": CONTENT_TYPE})

    return figures


async def _beside(work: Callable[[], bytes]) -> bytes:
    """Do something in a thread of its own: those of the event loop may all wait for a database that hangs."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def end(give: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else give())

    def do() -> None:
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            end(partial(done.set_exception, error))
        else:
            end(partial(done.set_result, found))

    threading.Thread(target=do, name="figures", daemon=True).start()
    return await done


async def no_such_page(_request: Request, error: Exception) -> Response:
    """There is nothing at this path, or not for this method."""
    status, headers = HTTPStatus.NOT_FOUND, {}
    if isinstance(error, HTTPException):
        status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    what = "this method is not taken here" if status is HTTPStatus.METHOD_NOT_ALLOWED else "there is nothing here"
    problem = Problem(status, what, headers=headers)
    log("request-refused", level=Level.WARNING, status=status.value, reason=problem.line)
    return answer(problem)


async def defect(_request: Request, error: Exception) -> Response:
    """Something is wrong with us; the sender is not told what."""
    log("defect", level=Level.ERROR, reason=named(error))
    return answer(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of the service; its log says which"))
