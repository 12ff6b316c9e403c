"""Requests with JSON bodies to the ticket systems for which there is no client that would do."""

from __future__ import annotations

import json
import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from respond.clients.ticketing.outgoing import Transport, json_object
from respond.errors import Permanent, Unanswered

if TYPE_CHECKING:
    from datetime import timedelta

    from respond.clients.guard import Check
    from respond.clients.ticketing.outgoing import Manners

_LONGEST_KEY = 100


class Wire:
    """Requests with JSON bodies and answers.

    Args:
        root: scheme, host and path that everything is below.
    """

    def __init__(self, root: str, manners: Manners, *, user: str, check: Check, limit: timedelta) -> None:
        self.root = root.rstrip("/")
        self._name = manners.name
        self._http = httpx.AsyncClient(
            auth=httpx.BasicAuth(user, manners.secret.get_secret_value()),
            headers={"Accept": "application/json", "User-Agent": "respond"},
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            transport=Transport(manners, check=check, limit=limit),
        )

    async def send(self, method: str, path: str, *, query: dict[str, str] | None = None, body: Any = None) -> Any:
        """The object that the answer is; empty for an answer without a body.

        Raises:
            Unanswered: the answer cannot be read.
        """
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        answer = await self._http.request(method, f"{self.root}{path}", params=query, content=content, headers=headers)
        if not answer.content:
            return {}
        found = json_object(answer)
        if not found:
            raise Unanswered(f"{self._name}: the answer to {method} {path} cannot be read; is the URL right?")
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def checked_key(key: str) -> str:
    """The key of a case, where it stands in a query, a label or a comment.

    Raises:
        Permanent: it is not one of ours.
    """
    if len(key) <= _LONGEST_KEY and re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", key):
        return key
    raise Permanent(f"{key!r:.80} is not the key of a case; expected letters, digits and single dashes")


def objects(value: object, what: str) -> list[dict[str, Any]]:
    """A list of objects; anything else is no answer, and says nothing about what is there.

    Args:
        what: was asked for, for the message.

    Raises:
        Unanswered: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unanswered(f"{what}; is the URL right?")
    return value
