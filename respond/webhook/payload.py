"""Deliveries of Sentinel's automation, read: what a Logic App forwards as `@triggerBody()`.

Incident, alert and entity triggers and the `{}` of the portal's "Run" button; also one incident as Azure Resource
Manager gives it, and any of these inside `body` or `triggerBody`. Key case, order and unknown fields do not matter, and
what is missing or null is empty. What the work depends on does matter: which incident or alert, its properties, and the
list of entities. Nothing at all (no body, null, a list) is no delivery; only `{}` asks for a hunt over the tenant.
https://learn.microsoft.com/azure/sentinel/playbook-triggers-actions
"""

from __future__ import annotations

import hashlib
import json

from respond.clients.loose import Part, parsed
from respond.errors import InvalidNotice
from respond.models.notice import Notice, Shape
from respond.webhook.shapes import flat_alert, read_alert, read_entity, read_incident

_MOST_WRAPPERS = 2


def read_notice(body: object) -> Notice:
    """One delivery.

    Args:
        body: parsed JSON; None, which is refused, when nothing was sent.

    Raises:
        InvalidNotice: not what Sentinel sends; says where.
    """
    root = _unwrapped(body)
    if root is None:
        return Notice(shape=Shape.EMPTY)
    schema = root.text("objectSchemaType", "SchemaType").lower()
    inside = root.part("object")
    if schema == "alert" and "properties" in inside:
        return read_alert(flat_alert(root, inside))
    if schema == "incident" or "properties" in inside or (inside and not schema):
        return read_incident(root, root.part("object") if "object" in root else root)
    if "Entity" in root or "IncidentArmID" in root:
        return read_entity(root)
    if schema == "alert" or "SystemAlertId" in root:
        return read_alert(root)
    if "properties" in root:
        return read_incident(root, root)
    raise InvalidNotice("this is no incident, alert or entity as Microsoft Sentinel sends it", root.pointer)


def delivery_key(body: object) -> str:
    """SHA-256 of a body, whatever the order of its keys: the same in every retry of one Logic App run.

    Raises:
        InvalidNotice: nested too deeply.
    """
    try:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise InvalidNotice("is nested too deeply") from error
    return hashlib.sha256(text.encode()).hexdigest()


def _unwrapped(body: object, pointer: str = "", wrappers: int = 0) -> Part | None:
    """The object that says something; None when nothing does."""
    if not isinstance(body, dict):
        raise InvalidNotice("must be a JSON object", pointer)
    if not body:
        return None
    root = Part(body, pointer)
    if any(name in root for name in ("object", "properties", "Entity", "IncidentArmID", "SystemAlertId")):
        return root
    key = next((key for key in body if key.lower() in ("body", "triggerbody")), None)
    if key is None or wrappers == _MOST_WRAPPERS:
        return root
    inside = parsed(body[key])
    return _unwrapped(inside, root.where(key), wrappers + 1)
