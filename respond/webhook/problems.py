"""Answers that refuse a request: problem documents.

    https://www.rfc-editor.org/rfc/rfc9457

    Problem
    ├── Unauthorized   401: we do not know who sends this
    └── NotAllowed     403: we do, and it may not deliver

Each has one line for the log. Neither that line nor the document ever holds a token, a signature, a secret or
anything else that a sender wrote and nobody vouched for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not taken.

    Args:
        detail: a sentence for the sender.
        log: what the log says instead, where it may know more than the sender.
        headers: that go with the status, such as Retry-After.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, log: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = status.phrase
        self.detail = detail
        self.headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **(headers or {})}
        self.line = f"{status.value} {status.phrase}: {' '.join((log or detail).split())}"

    def document(self) -> bytes:
        """The body of the answer."""
        return json.dumps({"title": self.title, "status": self.status.value, "detail": self.detail}).encode()


class Unauthorized(Problem):
    """Nothing shows who sends this.

    Args:
        challenge: value of WWW-Authenticate: what the sender should come with.
    """

    def __init__(self, detail: str, challenge: str, *, log: str = "") -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, detail, log=log, headers={"WWW-Authenticate": challenge})


class NotAllowed(Problem):
    """It is known who sends this, and that it may not deliver here."""

    def __init__(self, detail: str, *, log: str = "") -> None:
        super().__init__(HTTPStatus.FORBIDDEN, detail, log=log)
