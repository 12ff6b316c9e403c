"""Requests and replies as the lab's services see them, free of any web framework."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any
from urllib.parse import parse_qsl, unquote


class DropConnection(Exception):
    """Close the connection without an answer.

    Args:
        status: what the answer would have been; 444 when nothing was done.
    """

    def __init__(self, status: int = 444) -> None:
        super().__init__(status)
        self.status = status


class Malformed(Exception):
    """The request cannot be read; the text says why."""


@dataclass(frozen=True)
class LabRequest:
    """One HTTP request.

    Attributes:
        path: decoded, for messages, faults and the journal.
        segments: the path's parts, split before they were decoded, so that an id may hold any character.
        query: decoded query parameters; names in lower case.
        headers: names in lower case.
        base_url: where the lab listens, without a trailing slash.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base_url: str

    @classmethod
    def of(cls, method: str, target: str, headers: dict[str, str], body: bytes, base_url: str) -> LabRequest:
        """Build from a request target, such as `/v1.0/users/a%23b?$select=id`."""
        raw, _, query = target.partition("?")
        return cls(
            method=method.upper(),
            path=unquote(raw, errors="replace"),
            segments=tuple(unquote(part, errors="replace") for part in raw.split("/") if part),
            query={name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True, errors="replace")},
            headers=headers,
            body=body,
            base_url=base_url,
        )

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Malformed: it is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"Unable to read JSON request payload: {error}") from error

    def text(self) -> str | None:
        """The body as text; None when there is none."""
        return self.body.decode("utf-8", errors="replace") or None


@dataclass(frozen=True)
class Reply:
    """One HTTP response.

    Attributes:
        body: a JSON value, or None for an empty one.
        content: instead of `body`: a file with the bytes of a JSON value that may be too long for the memory.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: IO[bytes] | None = None

    def opened(self) -> IO[bytes]:
        """The bytes to send, to be read from the start and closed."""
        if self.content is not None:
            return self.content
        # escaped, so that even half a surrogate pair survives the trip
        return BytesIO(b"" if self.body is None else json.dumps(self.body).encode())

    def close(self) -> None:
        """Nobody will send it."""
        if self.content is not None:
            self.content.close()


class Untouched(Reply):
    """A reply of somebody in between: the request never came here, and nothing was done."""
