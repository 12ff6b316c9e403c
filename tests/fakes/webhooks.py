"""A Teams workflow and a Slack webhook over HTTP, as their pages describe them, faults included.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEAMS, SLACK = "/workflows/0123abcd-SECRET/triggers/manual", "/services/T000/B000/SECRET"
_TEAMS_BYTES = 28 * 1024


@dataclass(frozen=True)
class Fault:
    """What comes instead of the next answer; `kind` as in the lab's faults."""

    status: int = 503
    kind: str = "status"
    retry_after: str = ""
    body: str = ""


@dataclass
class Webhooks:
    """What has arrived.

    Attributes:
        posted: messages that were taken, by channel.
        requests: how many requests there were, whatever came of them.
        teams_bytes: what Teams takes; its limit is said to be about 28 KB.
    """

    url: str = ""
    posted: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"teams": [], "slack": []})
    faults: list[Fault] = field(default_factory=list)
    requests: int = 0
    teams_bytes: int = _TEAMS_BYTES

    @property
    def settings(self) -> dict[str, str]:
        return {"teams_url": self.url + TEAMS, "slack_url": self.url + SLACK}

    def answer(self, path: str, body: bytes) -> tuple[int, str, dict[str, str]] | None:
        """Status, text and headers; None drops the connection."""
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault and fault.kind == "drop_before":
            return None
        if fault and fault.kind == "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return fault.status, fault.body, headers
        told = self._teams(body) if path == TEAMS else self._slack(body) if path == SLACK else (404, "no_service")
        return None if fault else (*told, {})

    def _teams(self, body: bytes) -> tuple[int, str]:
        if len(body) > self.teams_bytes:
            return 413, "Request Entity Too Large"
        message = json.loads(body)
        (card,) = message["attachments"]
        if message["type"] != "message" or card["contentType"] != "application/vnd.microsoft.card.adaptive":
            return 400, "Bad payload received by generic incoming webhook."
        self.posted["teams"].append(message)
        return 202, ""  # it is posted later, or never

    def _slack(self, body: bytes) -> tuple[int, str]:
        try:
            message = json.loads(body)
        except ValueError:
            return 400, "invalid_payload"
        if not message.get("text") and not message.get("blocks"):
            return 400, "no_text"
        if any(len(one["text"]["text"]) > 3000 or not one["text"]["text"] for one in message.get("blocks", [])):
            return 400, "invalid_blocks"
        self.posted["slack"].append(message)
        return 200, "ok"


@contextmanager
def webhooks() -> Iterator[Webhooks]:
    """Listen until the end of the block."""
    there = Webhooks()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body leave apart: the client would wait 40 ms for the second

        def do_POST(self) -> None:
            answer = there.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if answer is None:
                self.close_connection = True
                return
            status, text, headers = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), "Connection": "close", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Tests look at `posted`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
