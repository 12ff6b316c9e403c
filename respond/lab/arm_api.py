"""Azure Resource Manager, as far as incidents and tables of the workspace go.

Finds the route, checks the caller, records writes. https://learn.microsoft.com/rest/api/securityinsights/incidents
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection

from respond.lab import arm_tables, faults
from respond.lab.arm_routes import PREFIX, ROUTES, ArmCall, ArmError, ArmRoute
from respond.lab.constants import ARM_AUDIENCE, RESOURCE_GROUP, SUBSCRIPTION_ID, WORKSPACE_NAME
from respond.lab.faults import Faults, with_faults
from respond.lab.incident_state import Incidents
from respond.lab.tokens import InvalidToken, Tokens
from respond.lab.web import DropConnection, LabRequest, Malformed, Reply
from respond.settings import LabFault

ROLE = "Microsoft Sentinel Responder"
"""Stands for the role assignment on the workspace; withheld like a permission."""

API_VERSIONS = ("2025-06-01", "2025-09-01")


class ArmApi:
    """Answers everything under `/subscriptions/`.

    Args:
        record_write: adds to the journal: method, path, status, body.
        tables: gives the names of the workspace's tables.
        basic: those of them that are on the Basic plan.
        protected: those of them that are protected.
    """

    def __init__(
        self,
        incidents: Incidents,
        tokens: Tokens,
        faults: Faults,
        record_write: Callable[[str, str, int, str | None], None],
        tables: Callable[[], Collection[str]],
        basic: Collection[str],
        protected: Collection[str] = (),
    ) -> None:
        self._tables = tables
        self._basic = basic
        self._protected = protected
        self._incidents = incidents
        self._tokens = tokens
        self._faults = faults
        self._record_write = record_write

    async def answer(self, request: LabRequest) -> Reply:
        """Answer one request.

        Raises:
            DropConnection: an injected fault says so.
        """
        route, params = _find(request)
        is_write = route.write if route else request.method not in ("GET", "HEAD", "OPTIONS")

        async def work(_: LabFault | None) -> Reply:
            return self._work(request, route, params)

        try:
            reply = await with_faults(self._faults, request, _fault_reply, work)
        except DropConnection as dropped:
            if is_write:
                self._record_write(request.method, request.path, dropped.status, request.text())
            raise
        if is_write:
            self._record_write(request.method, request.path, reply.status, request.text())
        return reply

    def _work(self, request: LabRequest, route: ArmRoute | None, params: dict[str, str]) -> Reply:
        try:
            roles = self._roles(request)
            if arm_tables.is_asked(request):
                _check_place(request.segments)
                return arm_tables.answer(request, roles, self._tables(), self._basic, self._protected)
            _check_version(request)
            _check_place(request.segments)
            if route is None:
                raise _no_route(request)
            if ROLE not in roles:
                raise _denied(request, route)
            reply = route.handler(ArmCall(request, params, self._incidents))
        except ArmError as error:
            return error.reply()
        except Malformed as error:
            return ArmError(400, "InvalidRequestContent", f"The request content was invalid: {error}").reply()
        return Reply(reply.status, reply.body, {"x-ms-request-id": str(uuid.uuid4()), **reply.headers})

    def _roles(self, request: LabRequest) -> frozenset[str]:
        try:
            return self._tokens.roles(request, ARM_AUDIENCE)
        except InvalidToken as error:
            missing = "authorization" not in request.headers
            code = "AuthenticationFailed" if missing else "InvalidAuthenticationToken"
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise ArmError(401, code, f"Authentication failed. {error}", challenge) from error


def _find(request: LabRequest) -> tuple[ArmRoute | None, dict[str, str]]:
    if len(request.segments) > len(PREFIX):
        for route in ROUTES:
            params = route.match(request.method, request.segments[len(PREFIX) :])
            if params is not None and _is_here(request.segments):
                return route, params
    return None, {}


def _is_here(segments: tuple[str, ...]) -> bool:
    return tuple(segment.lower() for segment in segments[: len(PREFIX)]) == PREFIX


def _check_version(request: LabRequest) -> None:
    version = request.query.get("api-version", "")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", message)
    if version.lower() not in API_VERSIONS:
        known = ",".join(API_VERSIONS)
        message = f"The api-version '{version[:40]}' is invalid. The supported versions are '{known}'."
        raise ArmError(400, "InvalidApiVersionParameter", message)


def _check_place(segments: tuple[str, ...]) -> None:
    """The subscription, the group and the workspace exist, as far as the path names them."""
    named = [segment.lower() for segment in segments]
    if named[1:2] != [SUBSCRIPTION_ID]:
        name = segments[1] if len(segments) > 1 else ""
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{name}' could not be found.")
    if named[2:3] == ["resourcegroups"] and named[3:4] != [RESOURCE_GROUP]:
        name = segments[3] if len(segments) > 3 else ""
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    if named[6:7] == ["workspaces"] and named[7:8] != [WORKSPACE_NAME]:
        name = "/".join(segments[5:8])
        message = f"The Resource '{name}' under resource group '{RESOURCE_GROUP}' was not found."
        raise ArmError(404, "ResourceNotFound", message)


def _no_route(request: LabRequest) -> ArmError:
    rest = request.segments[len(PREFIX) :]
    if _is_here(request.segments) and any(route.match(route.method, rest) is not None for route in ROUTES):
        message = f"The http method '{request.method}' is not supported for a resource of this type."
        return ArmError(405, "HttpMethodNotSupported", message)
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type of '{request.path[:300]}' could not be found (the lab answers for incidents only).",
    )


def _denied(request: LabRequest, route: ArmRoute) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client does not have authorization to perform action '{route.action}' over scope '{request.path}' or the "
        "scope is invalid. If access was recently granted, please refresh your credentials.",
    )


def _fault_reply(fault: LabFault) -> Reply:
    code, message = faults.code_and_message(fault)
    return ArmError(fault.status, code, message, faults.headers(fault)).reply()
