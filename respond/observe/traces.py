"""OpenTelemetry traces over OTLP (http/protobuf), only when the standard environment variables ask for them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables

Our spans carry a case id, an action, a verdict, an outcome: nothing about a person. The provider is ours alone and
never made the global one: the SDKs underneath make spans with whole URLs, user names in them, and with the texts of
errors as soon as there is a global provider (kiota: `url.full` and `record_exception`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict, Unpack

from respond import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_KNOWN = {"", "otlp", "console", "none"}

_tracer: Tracer | None = None


Stop = Callable[[], None]


class Attributes(TypedDict, total=False):
    """What a span may say. There is no place for a person, a URL or a text."""

    case: str
    action: str
    verdict: str
    outcome: str
    status: str
    shape: str
    answer: str


class Mark:
    """The span of a block, or nothing at all when nobody asked for traces."""

    __slots__ = ("_span",)

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def note(self, **attributes: Unpack[Attributes]) -> None:
        """Say more, once it is known."""
        if self._span is not None:
            self._span.set_attributes(_named(attributes))

    def fail(self, kind: str) -> None:
        """The block did not do what it is for.

        Args:
            kind: a status or the class of an error, never its text.
        """
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, kind))


_NOTHING = Mark(None)


def _named(attributes: Attributes) -> dict[str, str]:
    return {f"respond.{name}": str(value) for name, value in attributes.items() if value}


@contextmanager
def span(name: str, **attributes: Unpack[Attributes]) -> Iterator[Mark]:
    """The block is one span, below the one around it. An error marks it with its class, never with its text."""
    if _tracer is None:
        yield _NOTHING
        return
    with _tracer.start_as_current_span(
        name, attributes=_named(attributes), record_exception=False, set_status_on_exception=False
    ) as current:
        mark = Mark(current)
        try:
            yield mark
        except Exception as error:
            mark.fail(type(error).__name__)
            raise


@contextmanager
def continued(headers: Mapping[str, str]) -> Iterator[None]:
    """Spans inside belong to the trace that a request came with, if it named one (W3C `traceparent`).

    For callers that have shown who they are; a stranger has no say in which traces are kept.

    Args:
        headers: with names in lower case.
    """
    if _tracer is None or "traceparent" not in headers:
        yield
        return
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    token = context.attach(TraceContextTextMapPropagator().extract(carrier))
    try:
        yield
    finally:
        context.detach(token)


def exporters() -> tuple[str, ...]:
    """Which of `otlp` and `console` the environment asks for."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    default = "otlp" if any(os.environ.get(name, "").strip() for name in _ENDPOINTS) else "none"
    asked = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or default
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",") if name.strip()))
    return () if "none" in names else tuple(name for name in names if name in ("otlp", "console"))


def unheeded() -> tuple[str, ...]:
    """What the environment asks for and does not get, one line each; for the log."""
    asked = {name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "").lower().split(",")}
    told = [f"OTEL_TRACES_EXPORTER: {name!r} is not one of otlp, console, none" for name in sorted(asked - _KNOWN)]
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "http/protobuf")
    if "otlp" in exporters() and protocol != "http/protobuf":
        told.append(f"OTLP goes out as http/protobuf, not as {protocol!r}: name the collector's port for that")
    return tuple(told)


def configure(*, goodbye: timedelta = timedelta(seconds=5)) -> Stop | None:
    """Begin to trace if the environment asks for it.

    Args:
        goodbye: what the last spans get; a collector that does not answer must not keep a process from ending.

    Returns:
        Sends what is left and stops; None when nobody asked.
    """
    global _tracer  # noqa: PLW0603 - one process, one tracer, as with the engine
    asked = exporters()
    if not asked:
        return None
    provider = _provider()
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    outlets = [_exporter(name) for name in asked]
    for outlet in outlets:
        provider.add_span_processor(BatchSpanProcessor(outlet))
    _tracer = provider.get_tracer("respond", __version__)

    def stop() -> None:
        global _tracer  # noqa: PLW0603
        _tracer = None
        ending = threading.Thread(target=provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(goodbye.total_seconds())
        if ending.is_alive():
            for outlet in outlets:  # no more tries; what is under way ends with the process
                outlet.shutdown()

    return stop


def _provider() -> TracerProvider:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider

    ours = Resource({"service.name": "respond", "service.version": __version__})
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES outrank ours. No other detector: one tells the command line.
    resource = Resource.get_empty().merge(ours).merge(OTELResourceDetector().detect())
    return TracerProvider(resource=resource, shutdown_on_exit=False)


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
