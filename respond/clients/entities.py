"""Entities of Sentinel as our models: whom an incident or alert names.

Incidents, and `POST …/incidents/{id}/entities`, give objects with `kind` and `properties` in camelCase; alerts give
flat ones with `Type` in PascalCase. Mailboxes count as accounts. Other kinds are left alone: the `appId` of a cloud
application, say, is a number of Defender for Cloud Apps and no Entra application.
https://learn.microsoft.com/azure/sentinel/entities-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from respond.clients.loose import MOST_TEXT, Part
from respond.errors import UsageError
from respond.models.notice import Named
from respond.who import parse_who

_SID = re.compile(r"S-1-\d{1,3}(?:-\d{1,10}){1,14}")
_KINDS = ("account", "mailbox")


def accounts_of(entities: Sequence[Any], *, most: int | None = None) -> tuple[Named, ...]:
    """The accounts and mailboxes among some entities, in their order, each once.

    Args:
        most: no more than so many of them.
    """
    found: dict[object, Named] = {}
    for named in _accounts(entities):
        if len(found) == most:
            break
        found.setdefault(named.identity, named)
    return tuple(found.values())


def _accounts(entities: Sequence[Any]) -> Iterator[Named]:
    for item in entities:
        entity = Part(item)
        kind = (entity.text("kind") or entity.text("Type")).lower()
        if kind in _KINDS:
            yield _named(kind, entity.part("properties") if "properties" in entity else entity)


def _named(kind: str, said: Part) -> Named:
    more = said.part("additionalData")
    name, suffix = said.text("accountName", "Name"), said.text("upnSuffix").lstrip("@")
    if "@" in name and not suffix:
        name, _, suffix = name.rpartition("@")
    sid = said.raw("sid").upper()
    found = Named(
        kind=kind,
        object_id=said.guid("aadUserId", "externalDirectoryObjectId"),
        tenant_id=said.guid("aadTenantId"),
        upn=_address(more.raw("UserPrincipalName")) or _address(said.raw("upn", "userPrincipalName")),
        name=name,
        suffix=suffix,
        mail=_address(said.raw("mailboxPrimaryAddress")) or _address(more.raw("MailAddress")),
        sid=sid if _SID.fullmatch(sid) else "",
    )
    shown = (found.address, said.text("displayName", "friendlyName"), name, found.object_id, found.sid)
    return found.model_copy(update={"label": next(filter(None, shown), f"{kind} without a name")[:MOST_TEXT]})


def _address(text: str) -> str:
    """A UPN or mail address as the command line would take it; else empty."""
    try:
        return parse_who(text) if "@" in text else ""
    except UsageError:
        return ""
