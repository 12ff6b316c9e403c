"""An OTLP collector over HTTP: takes what is sent, decodes it, keeps it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What arrived."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.types: list[str] = []
        self.raw = b""
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> dict[str, Span]:
        """By name; a name that came twice would hide a span, so there is none."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        # Devices are looked at once more after the revocation; everything else happens once.
        assert sorted(span.name for span in found if span.name != "find_devices") == sorted(
            {span.name for span in found} - {"find_devices"}
        )
        return {span.name: span for span in found}

    @property
    def resource(self) -> dict[str, str]:
        resource = self.requests[0].resource_spans[0].resource
        return {pair.key: pair.value.string_value for pair in resource.attributes}


def said(span: Span) -> dict[str, str]:
    """The attributes of a span."""
    return {pair.key: pair.value.string_value for pair in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            collector.paths.append(self.path)
            collector.types.append(self.headers["Content-Type"])
            collector.raw += body
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
