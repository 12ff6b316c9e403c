"""Every endpoint of SecurityInsights that the lab answers, and what each does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from respond.lab.constants import SECURITY_INSIGHTS
from respond.lab.incident_file import NAME
from respond.lab.incident_state import Incidents, Resource
from respond.lab.incidents import (
    LONGEST_COMMENT,
    MOST_COMMENTS,
    commented,
    etag,
    now_text,
    problem,
    touched,
    written,
)
from respond.lab.web import LabRequest, Reply

PREFIX = tuple(part.lower() for part in SECURITY_INSIGHTS.split("/") if part)
_PAGE, _LARGEST_PAGE = 50, 1000


class ArmError(Exception):
    """An answer of Azure Resource Manager that is no success."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self._reply = Reply(status, {"error": {"code": code, "message": message}}, headers or {})

    def reply(self) -> Reply:
        return self._reply


@dataclass(frozen=True)
class ArmCall:
    """One request on its way to a handler.

    Attributes:
        params: what stands in the braces of the route's template.
    """

    request: LabRequest
    params: dict[str, str]
    incidents: Incidents

    def incident(self) -> Resource:
        """The incident that the path names.

        Raises:
            ArmError: there is none.
        """
        found = self.incidents.get(self.params["incident"])
        if found is None:
            raise _not_found("Incident", self.params["incident"])
        return found

    def sent(self) -> tuple[str | None, dict[str, Any]]:
        """The etag and the properties in the body.

        Raises:
            ArmError, Malformed: the body is not a resource, or the path not a name to give one.
        """
        for name in self.params.values():
            if not NAME.fullmatch(name):
                raise _bad(f"'{name[:80]}' is not a valid identifier")
        body = self.request.json()
        if not isinstance(body, dict) or not isinstance(body.get("properties"), dict):
            raise _bad("'properties' is required")
        return body.get("etag"), body["properties"]


@dataclass(frozen=True)
class ArmRoute:
    """One endpoint.

    Attributes:
        template: below `…/providers/Microsoft.SecurityInsights/`, with `{name}` for parts that vary.
        action: what a role has to allow.
        write: recorded in the journal.
    """

    method: str
    template: str
    action: str
    handler: Callable[[ArmCall], Reply]
    write: bool = False

    def match(self, method: str, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The varying parts, or None if this is another route."""
        parts = self.template.split("/")
        if method != self.method or len(parts) != len(segments):
            return None
        pairs = list(zip(parts, segments, strict=True))
        if any(part.lower() != segment.lower() for part, segment in pairs if not part.startswith("{")):
            return None
        return {part[1:-1]: segment for part, segment in pairs if part.startswith("{")}


def _get(call: ArmCall) -> Reply:
    return Reply(200, call.incident())


def _put(call: ArmCall) -> Reply:
    version, properties = call.sent()
    if wrong := problem(properties):
        raise _bad(f"The incident {wrong}")
    created = False

    def edit(before: Resource | None, number: int) -> Resource:
        nonlocal created
        created = before is None
        if before is not None and version != before["etag"]:
            raise _newer(before)
        return written(call.params["incident"], number, before, properties)

    body = call.incidents.put(call.params["incident"], edit)
    return Reply(201 if created else 200, body)


def _list(call: ArmCall) -> Reply:
    asked = call.request.query
    if unknown := sorted(set(asked) - {"api-version", "$top", "$skiptoken"}):
        raise _bad(f"The lab lists incidents without {unknown[0]}")
    top, after = asked.get("$top", str(_PAGE)), asked.get("$skiptoken", "0")
    if not (top.isdecimal() and after.isdecimal() and 0 < int(top) <= _LARGEST_PAGE and int(after) < 2**62):
        raise _bad(f"$top must be a number from 1 to {_LARGEST_PAGE}, and $skipToken one that was given")
    found = call.incidents.page(int(after), int(top) + 1)
    body: dict[str, Any] = {"value": [incident for _, incident in found[: int(top)]]}
    if len(found) > int(top):
        parameters = f"api-version={quote(asked['api-version'])}&$top={top}&$skipToken={found[int(top) - 1][0]}"
        body["nextLink"] = f"{call.request.base_url}{SECURITY_INSIGHTS}/incidents?{parameters}"
    return Reply(200, body)


def _entities(call: ArmCall) -> Reply:
    name = call.incident()["name"]
    found = call.incidents.entities(name)
    kinds = Counter(entity["kind"] for entity in found)
    return Reply(
        200,
        {"entities": found, "metaData": [{"entityKind": kind, "count": count} for kind, count in kinds.items()]},
    )


def _alerts(call: ArmCall) -> Reply:
    return Reply(200, {"value": call.incidents.alerts(call.incident()["name"])})


def _comments(call: ArmCall) -> Reply:
    return Reply(200, {"value": call.incidents.comments(call.incident()["name"])})


def _get_comment(call: ArmCall) -> Reply:
    found = call.incidents.comment(call.incident()["name"], call.params["comment"])
    if found is None:
        raise _not_found("Comment", call.params["comment"])
    return Reply(200, found)


def _put_comment(call: ArmCall) -> Reply:
    version, properties = call.sent()
    message = properties.get("message")
    if not isinstance(message, str) or not message.strip():
        raise _bad("'message' is required")
    if len(message) > LONGEST_COMMENT:
        raise _bad(f"The comment exceeds the currently allowed limit of {LONGEST_COMMENT} characters")
    created = False

    def edit(incident: Resource, before: Resource | None) -> tuple[Resource, Resource]:
        nonlocal created
        created = before is None
        if before is not None:
            if version not in (None, before["etag"]):
                raise _newer(before)
            changed = {**before, "properties": {**before["properties"], "message": message}}
            return touched(incident), touched(changed)
        if incident["properties"]["additionalData"]["commentsCount"] >= MOST_COMMENTS:
            raise _bad(f"The number of comments exceeds the currently allowed limit of {MOST_COMMENTS}")
        return commented(incident, 1), _new_comment(incident, call.params["comment"], message)

    body = call.incidents.put_comment(call.params["incident"], call.params["comment"], edit)
    if body is None:
        raise _not_found("Incident", call.params["incident"])
    return Reply(201 if created else 200, body)


def _new_comment(incident: Resource, name: str, message: str) -> Resource:
    now = now_text()
    author = {"objectId": None, "email": None, "name": "respond-lab", "userPrincipalName": None}
    return {
        "id": f"{incident['id']}/Comments/{name}",
        "name": name,
        "etag": etag(),
        "type": "Microsoft.SecurityInsights/Incidents/Comments",
        "properties": {"message": message, "createdTimeUtc": now, "lastModifiedTimeUtc": now, "author": author},
    }


def _bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", f"{message}.")


def _newer(resource: Resource) -> ArmError:
    return ArmError(409, "Conflict", f"Newer version of resource '{resource['id']}' exists. Data was not saved.")


def _not_found(what: str, name: str) -> ArmError:
    return ArmError(404, "NotFound", f"{what} '{name[:80]}' does not exist.")


_READ, _WRITE = "Microsoft.SecurityInsights/incidents/read", "Microsoft.SecurityInsights/incidents/write"
_READ_COMMENT = "Microsoft.SecurityInsights/incidents/comments/read"
_WRITE_COMMENT = "Microsoft.SecurityInsights/incidents/comments/write"

ROUTES = (
    ArmRoute("GET", "incidents", _READ, _list),
    ArmRoute("GET", "incidents/{incident}", _READ, _get),
    ArmRoute("PUT", "incidents/{incident}", _WRITE, _put, write=True),
    ArmRoute("POST", "incidents/{incident}/entities", _READ, _entities),
    ArmRoute("POST", "incidents/{incident}/alerts", _READ, _alerts),
    ArmRoute("GET", "incidents/{incident}/comments", _READ_COMMENT, _comments),
    ArmRoute("GET", "incidents/{incident}/comments/{comment}", _READ_COMMENT, _get_comment),
    ArmRoute("PUT", "incidents/{incident}/comments/{comment}", _WRITE_COMMENT, _put_comment, write=True),
)
