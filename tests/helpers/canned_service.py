"""A service that answers what a test tells it to, in order, over real HTTP; the last answer goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Canned:
    """One answer; `status` 0 closes the connection without one."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """The service as a test sees it.

    Attributes:
        seen: method, path with query, and body of every request.
    """

    url: str
    answers: list[Canned]
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)


@contextmanager
def canned(*answers: Canned) -> Iterator[Service]:
    """Listen until the end of the block."""
    service = Service("", list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body leave apart: the client would wait 40 ms for the second

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            service.seen.append((self.command, self.path, body))
            answer = service.answers.pop(0) if len(service.answers) > 1 else service.answers[0]
            if not answer.status:
                self.close_connection = True
                return
            if "Date" in answer.headers:
                self.send_response_only(answer.status)  # the library's own date would stand before ours
            else:
                self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """Tests listen to `seen`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
