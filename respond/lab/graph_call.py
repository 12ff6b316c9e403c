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


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Route:
    """One endpoint.

    Attributes:
        template: below `/v1.0/`, with `{name}` for parts that vary.
        permissions: application permissions, any of which is enough; the least privileged comes first.
        write: recorded in the journal.
    """

    method: str
    template: str
    permissions: tuple[str, ...]
    handler: Handler
    write: bool = False

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
