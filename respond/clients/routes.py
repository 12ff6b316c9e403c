"""Which limit of Microsoft's a request falls under, and what it takes of it. Pure.

https://learn.microsoft.com/graph/throttling-limits
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from respond.errors import Service


class Scope(StrEnum):
    """What a limit holds for."""

    DIRECTORY = "directory"
    HUNTING = "advanced hunting"
    RISK = "Identity Protection"
    REPORTS = "sign-in reports"
    MAIL = "mailboxes"
    QUERIES = "queries"
    RESOURCES = "Resource Manager"


_GRAPH_SCOPES = (
    (re.compile(r"/security/(microsoft\.graph\.security\.)?runHuntingQuery$"), Scope.HUNTING),
    (re.compile(r"/identityProtection/"), Scope.RISK),
    (re.compile(r"/auditLogs/"), Scope.REPORTS),
    (re.compile(r"/mailFolders/"), Scope.MAIL),
)
_LISTS = re.compile(
    r"/(users|transitiveMemberOf|registeredDevices|ownedDevices|methods|oauth2PermissionGrants|messageRules)$"
)
_WORD = re.compile(r"/([A-Za-z][A-Za-z0-9.$]*[A-Za-z])(?=/|$)")


@dataclass(frozen=True)
class Route:
    """Where a request goes.

    Attributes:
        kind: the endpoint without ids.
        cost: what it takes of the limit of its scope.
    """

    service: Service
    scope: Scope
    kind: str
    cost: float = 1.0

    @classmethod
    def of(cls, service: Service, method: str, url: str) -> Route:
        """The route of a request."""
        parts = urlsplit(url)
        path = unquote(parts.path)
        words = _WORD.findall(path)
        kind = f"{method} {words[-1] if words else path}"
        if service is Service.LOGS:
            return cls(service, Scope.QUERIES, kind)
        if service is Service.SENTINEL:
            return cls(service, Scope.RESOURCES, kind)
        scope = next((scope for form, scope in _GRAPH_SCOPES if form.search(path)), Scope.DIRECTORY)
        # Documented as 1 for one object and 2 for a list; $select takes one off, and nothing is free.
        units = (2 if _LISTS.search(path) else 1) - ("select=" in unquote(parts.query))
        return cls(service, scope, kind, float(max(units, 1)) if scope is Scope.DIRECTORY else 1.0)
