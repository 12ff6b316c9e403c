"""Whether a change to a mailbox sends its mail on to somebody outside. Tolerant: parameters come in several shapes.

New-InboxRule, Set-InboxRule and Set-Mailbox keep them in `Parameters` as Name and Value; UpdateInboxRules in
`OperationProperties`, with the actions as JSON text.
https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from respond.clients.rows import Row, text

_FORWARDS = re.compile(r"forward|redirect", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s\"'<>:;,=\[\](){}|\\]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)


def leads_outside(row: Row) -> bool:
    """Whether a forward or a redirect goes to a domain that neither the mailbox nor its user is in."""
    own = {text(row, column).lower().rpartition("@")[2] for column in ("UserId", "MailboxOwnerUPN")} - {""}
    given = [*_pairs(text(row, "Parameters")), *_pairs(text(row, "Properties"))]
    targets = " ".join(value for name, value in given if _FORWARDS.search(name) or _FORWARDS.search(value))
    found = {domain.lower() for domain in _ADDRESS.findall(targets)}
    return bool(own) and any(not _is_within(domain, own) for domain in found)


def _is_within(domain: str, own: Iterable[str]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in own)


def _pairs(said: str) -> list[tuple[str, str]]:
    given = _loaded(said)
    if isinstance(given, dict):
        return [(str(name), value if isinstance(value, str) else json.dumps(value)) for name, value in given.items()]
    found: list[Any] = given if isinstance(given, list) else []
    return [(text(one, "Name"), text(one, "Value")) for one in found if isinstance(one, dict)]


def _loaded(said: str) -> Any:
    """JSON, also JSON that was written into a JSON string once more."""
    try:
        given = json.loads(said or "[]")
        return json.loads(given) if isinstance(given, str) and given[:1] in ("[", "{") else given
    except (ValueError, RecursionError):
        return []
