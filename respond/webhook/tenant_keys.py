"""The public keys that the tenant signs tokens with: fetched when needed, kept for an hour.

    GET {authority}/{tenant}/discovery/v2.0/keys
    https://learn.microsoft.com/entra/identity-platform/signing-key-rollover

Entra publishes a key long before it signs with it. Whoever sends made-up key ids causes at most one request to it in 30
seconds, and any number of senders at once share one. While the keys cannot be fetched, those we have still serve,
for a day at most: a key that was withdrawn must not live for ever.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
import jwt

from respond.webhook.problems import Problem

_FRESH = 3600.0
_USABLE = 24 * 3600.0
_APART = 30.0
"""Seconds between two requests, whatever came of the first."""
_TIMEOUT = 5.0
_ALGORITHM = "RS256"

_log = logging.getLogger(__name__)


class TenantKeys:
    """The signing keys of one tenant.

    Args:
        url: of the JSON Web Key Set.
        clock: seconds, never going back.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id; None when the tenant has no such key.

        Raises:
            Problem: 503, the keys cannot be fetched, so nobody can tell.
        """
        if kid not in self._keys or self._age() > _FRESH:
            await self._fetch_once()
        if self._age() > _USABLE:
            self._keys = {}
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched < self._tried:
            raise self._unavailable()
        return None

    def _age(self) -> float:
        return self._clock() - self._fetched

    async def _fetch_once(self) -> None:
        """Fetch, unless somebody just did; whoever comes meanwhile waits for the same answer."""
        if self._fetching is None or self._fetching.done():
            if self._clock() - self._tried < _APART:
                return
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        # a sender that goes away must not take the answer from the others
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            # all of it, not each byte
            async with asyncio.timeout(_TIMEOUT), httpx.AsyncClient(timeout=None) as client:  # noqa: S113
                answer = await client.get(self._url)
            found = _usable(answer.raise_for_status().json())
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            why = f"{error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
            _log.warning("the tenant's signing keys cannot be fetched from %s: %s", self._url, why)
            return
        self._keys = found
        self._fetched = self._clock()

    def _unavailable(self) -> Problem:
        wait = max(1, math.ceil(self._tried + _APART - self._clock()))
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the token cannot be checked at the moment; send the request again",
            log="a token cannot be checked: the tenant's signing keys cannot be fetched",
            headers={"Retry-After": str(wait)},
        )


def _usable(document: object) -> dict[str, jwt.PyJWK]:
    """The RSA signing keys of a set, by id; others are passed over.

    Raises:
        ValueError: it is no key set, or has none of these.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str, jwt.PyJWK] = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(entry, _ALGORITHM)
        except jwt.PyJWTError:
            continue
        if key.key_id and not key.Algorithm.check_key_length(key.key):
            keys[key.key_id] = key
    if not keys:
        raise ValueError("no RSA signing key")
    return keys
