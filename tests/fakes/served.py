"""What the fakes of other people's systems share: real HTTP on this machine, and faults that come when a test asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """One request, as the fake got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What comes back; status 0 closes the connection without an answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


LOST = Answer(0)


@dataclass(frozen=True)
class Fault:
    """What happens to the next request of a method.

    Attributes:
        worked: the request does its work first, and only its answer is replaced.
        late: seconds after the answer that it does its work instead.
    """

    method: str
    answer: Answer
    worked: bool = False
    late: float = 0.0


class Fake(Protocol):
    url: str
    faults: list[Fault]
    requests: list[Request]

    def answer(self, request: Request) -> Answer:
        """Do what is asked, and answer as the system's reference says."""
        ...


F = TypeVar("F", bound=Fake)


@contextmanager
def served(fake: F) -> Iterator[F]:
    """Listen until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body leave apart: the client would wait 40 ms for the second

        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
            request = Request(self.command, parts.path, query, headers, json.loads(raw) if raw else None)
            fake.requests.append(request)
            self._send(_with_faults(fake, request))

        def _send(self, answer: Answer) -> None:
            if not answer.status:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            body = b"" if answer.body is None else body
            self.send_response(answer.status)
            kind = {"Content-Type": "application/json;charset=UTF-8", "Content-Length": str(len(body))}
            for name, value in (kind | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = _do  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """Tests look at `requests`."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _with_faults(fake: Fake, request: Request) -> Answer:
    fault = next((one for one in fake.faults if one.method == request.method), None)
    if fault is None:
        return fake.answer(request)
    fake.faults.remove(fault)
    if fault.worked:
        fake.answer(request)
    if fault.late:
        threading.Timer(fault.late, fake.answer, [request]).start()
    return fault.answer
