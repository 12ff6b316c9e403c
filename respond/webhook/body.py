"""The body of a request, within limits: read, decompressed, and read as JSON.

Three steps, so that who sends can be made sure of in between: `check_headers` before anything is read, `read_body` for
the bytes as they come, `read_json` for what they say. A body has at most 2 MiB, on the wire and decompressed; what is
beyond is not kept. Everything takes time in proportion to the size of the body, whatever stands in it.

An empty body needs no content type: it says nothing, whatever it is called.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from respond.webhook.json_text import Json, NotJson, parse
from respond.webhook.problems import Problem

LARGEST = 2 * 1024 * 1024
"""Bytes."""

MOST_UNKNOWN = 8 * LARGEST
"""Bytes of bodies whose sender is not known yet, all together. A delivery of Sentinel has a few thousand."""

_MOST_DISCARDED = 8 * LARGEST
_DISCARD_WITHIN = 1.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_JSON = re.compile(r"application/([a-z0-9!#$&^_.+-]+\+)?json", re.IGNORECASE)
_GZIP = ("gzip", "x-gzip")
_ENCODINGS = ("", "identity", *_GZIP)
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what can be refused unread.

    Args:
        headers: names in lower case, or a mapping that does not care.

    Raises:
        Problem: 413 too large by its own word, 415 not JSON or compressed in another way than gzip.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > len(str(LARGEST)) + 8 or int(length) > LARGEST):
        raise _too_large()
    if _encoding(headers) not in _ENCODINGS:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body may be compressed with gzip, or not at all",
            headers={"Accept-Encoding": "gzip"},
        )
    if _media_type(headers) and not _JSON.fullmatch(_media_type(headers)):
        raise _not_json()


class Held:
    """The bytes of senders that nobody knows yet, all together: a signature is known only when its body is whole.

    Args:
        most: bytes that are kept at once.
    """

    def __init__(self, most: int = MOST_UNKNOWN) -> None:
        self._left = most

    @contextlib.contextmanager
    def account(self) -> Iterator[Callable[[int], None]]:
        """For one body: called with the size of each piece before it is kept.

        Raises:
            Problem: 429, others fill the room.
        """
        mine = 0

        def keep(size: int) -> None:
            nonlocal mine
            if size > self._left:
                raise Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "too many requests are being read whose sender is not known yet",
                    headers={"Retry-After": "5", "Connection": "close"},
                )
            self._left -= size
            mine += size

        try:
            yield keep
        finally:
            self._left += mine


async def read_body(receive: Receive, *, within: timedelta, keep: Callable[[int], None] | None = None) -> bytes:
    """The bytes of the body as they were sent.

    Args:
        receive: of ASGI.
        within: how long the sender may take for all of it.
        keep: told of each piece before it is kept; may refuse it.

    Raises:
        Problem: 413 as soon as it is too large, 408 too slow, 400 the sender went away, 429 `keep` refuses.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(within.total_seconds()):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
                if len(body) + len(piece := message.get("body", b"")) > LARGEST:
                    raise _too_large()
                if keep:
                    keep(len(piece))
                body += piece
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body was not there within {within.total_seconds():g} s",
            headers={"Connection": "close"},
        ) from None


async def discard_body(receive: Receive) -> None:
    """Read on for a moment and forget it: a sender that is still writing would see a broken connection, no answer.

    https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """
    left = _MOST_DISCARDED
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_WITHIN):
            while left > 0 and (message := await receive()).get("more_body", False):
                left -= len(message.get("body", b""))


def read_json(headers: Mapping[str, str], body: bytes) -> Json:
    """What the body says; None when it is empty.

    Args:
        body: as it was sent.

    Raises:
        Problem: 400 broken or not JSON, 413 too large once decompressed, 415 not called JSON.
    """
    text = _decompressed(body) if body and _encoding(headers) in _GZIP else body
    if not text:
        return None
    if not _JSON.fullmatch(_media_type(headers)):
        raise _not_json()
    try:
        return parse(text)
    except NotJson as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body {error}") from None


def _decompressed(body: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = stream.decompress(body, LARGEST + 1)
    except zlib.error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not what gzip makes") from None
    if len(text) > LARGEST:
        raise _too_large()
    # one stream and nothing behind it: nobody sends more, and a million tiny ones would take for ever
    if not stream.eof or stream.unused_data:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not one whole gzip stream")
    return text


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower()


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip()


def _too_large() -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {LARGEST} bytes; that is the most, also once decompressed",
        headers={"Connection": "close"},
    )


def _not_json() -> Problem:
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json", headers={"Accept": "application/json"}
    )
