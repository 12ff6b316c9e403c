"""What a Graph route is, and what its handler gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from respond.lab.kql import Engine
from respond.lab.odata import bad_request, not_found
from respond.lab.state import LabState
from respond.lab.web import LabRequest, Reply


@dataclass(frozen=True)
class Call:
    """One request on its way to a handler.

    Attributes:
        params: what stands in the braces of the route's template.
        cast: type name after the path (`device` in `…/registeredDevices/microsoft.graph.device`), or empty.
        hunting: gives the engine over the advanced hunting tables.
    """

    request: LabRequest
    params: dict[str, str]
    cast: str
    state: LabState
    hunting: Callable[[], Awaitable[Engine]]

    def user(self) -> dict[str, Any]:
        """The user that the path names by id or UPN.

        Raises:
            GraphError: there is none, or a name that begins with `$` stands in the path instead of `users('$…')`.
        """
        name = self.params["user"]
        if name.startswith("$") and name in self.request.segments:
            raise bad_request(f"Resource not found for the segment '{name}'.", "BadRequest")
        found = self.state.get("users", name) or self.state.by_name("users", name)
        if found is None:
            raise not_found(name)
        return dict(found)

    def fields(self) -> dict[str, Any]:
        """The body, which has to be a JSON object, without annotations such as `@odata.type`.

        Raises:
            GraphError: it is another JSON value.
            Malformed: it is not JSON.
        """
        body = self.request.json()
        if not isinstance(body, dict):
            raise bad_request("The request body must be a JSON object.", "BadRequest")
        return {name: value for name, value in body.items() if "@" not in name}

    def texts(self, name: str, *, most: int | None = None) -> list[str]:
        """The list of ids that the body has under this name.

        Raises:
            GraphError: there is none, it is empty or longer than `most`, or something else is in it.
        """
        value = self.fields().get(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise bad_request(f"Invalid value specified for parameter '{name}': a list of ids is needed.")
        if most is not None and len(value) > most:
            raise bad_request(f"The parameter '{name}' takes at most {most} ids, not {len(value)}.")
        return value


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Route:
    """One endpoint.

    Attributes:
        template: below `/v1.0/`, with `{name}` for parts that vary.
        permissions: application permissions, any of which is enough; the least privileged comes first. `A and B`
            stands for two of which both are needed.
        write: recorded in the journal.
    """

    method: str
    template: str
    permissions: tuple[str, ...]
    handler: Handler
    write: bool = False

    def allows(self, roles: frozenset[str]) -> bool:
        """Whether a caller with these application permissions may ask."""
        return any(roles.issuperset(choice.split(" and ")) for choice in self.permissions)

    def least(self) -> frozenset[str]:
        """The least privileged permissions that are enough."""
        return frozenset(self.permissions[0].split(" and "))

    def match(self, method: str, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The varying parts, or None if this is another route."""
        parts = self.template.split("/")
        if method != self.method or len(parts) != len(segments):
            return None
        params = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{"):
                params[part[1:-1]] = segment
            elif part.lower() != segment.lower():
                return None
        return params
