"""A gate before the lab: it lets everything through but some requests, which wait until it opens for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import httpx

from tests.helpers.patience import patiently

_OWN = ("host", "content-length", "connection", "transfer-encoding", "accept-encoding")


class Gate:
    """What stands before it.

    Attributes:
        url: where to ask instead of the lab.
        held: paths of the requests that wait, or have waited.
    """

    def __init__(self, url: str, *words: str) -> None:
        self.held: list[str] = []
        self._opened = {word: threading.Event() for word in words}
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body leave apart: the client would wait 40 ms for the second

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                for word in words:
                    if word in self.path:
                        gate.held.append(self.path)
                        gate._opened[word].wait(patiently(120))
                # a token is asked for by address, and the lab knows itself by its own
                body = body.replace(quote(gate.url, safe="").encode(), quote(url, safe="").encode())
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
                answer = httpx.request(
                    self.command, url + self.path, content=body, headers=headers, timeout=patiently(60)
                )
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in (*_OWN, "server", "date", "content-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _forward  # noqa: N815 - the names that the class calls

            def log_message(self, *_: object) -> None:
                """Nothing to say."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def open(self, *words: str) -> None:
        """Let through what waits, and what comes, with these words in its path; all without any."""
        for word in words or self._opened:
            self._opened[word].set()


@contextmanager
def gate(url: str, *words: str) -> Iterator[Gate]:
    """A gate before `url`, closed for paths that contain one of the words."""
    found = Gate(url, *words)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.open()
        found.server.shutdown()
        found.server.server_close()
        thread.join(10)
