"""Traces: asked for by the standard variables only, over OTLP to a real receiver, with nobody's name in them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from respond.observe import traces
from respond.observe.traces import continued, span
from tests.helpers.command import ROOT
from tests.observe.collector import Collector, collecting, said

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield receiver


def stop_of() -> traces.Stop:
    stop = traces.configure()
    assert stop
    return stop


def test_spans_arrive_as_protobuf_below_one_another_under_our_name(collector: Collector) -> None:
    stop = stop_of()
    with span("device_code_phishing") as run:
        with span("revoke_sessions", action="revoke_sessions", case="DC-ABCDEF"):
            pass
        run.note(case="DC-ABCDEF", verdict="malicious", outcome="contained-verified")
    stop()
    assert (collector.paths, collector.types) == (["/v1/traces"], ["application/x-protobuf"])
    spans = collector.spans
    outer, inner = spans["device_code_phishing"], spans["revoke_sessions"]
    assert (outer.parent_span_id, inner.parent_span_id) == (b"", outer.span_id)
    assert inner.trace_id == outer.trace_id
    assert said(inner) == {"respond.action": "revoke_sessions", "respond.case": "DC-ABCDEF"}
    assert said(outer)["respond.verdict"] == "malicious"
    assert collector.resource["service.name"] == "respond"
    assert "process.command_line" not in collector.resource


def test_the_standard_variables_name_the_service(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "respond-eu")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    stop = stop_of()
    with span("x"):
        pass
    stop()
    assert collector.resource["service.name"] == "respond-eu"
    assert collector.resource["deployment.environment.name"] == "test"


def test_an_error_is_told_by_its_class_and_never_by_its_text(collector: Collector) -> None:
    stop = stop_of()
    with pytest.raises(LookupError), span("know_user"):
        raise LookupError("target.user@contoso.com does not exist")
    stop()
    failed = collector.spans["know_user"]
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "LookupError")
    assert not failed.events
    assert b"contoso" not in collector.raw


def test_the_trace_of_a_request_is_continued(collector: Collector) -> None:
    stop = stop_of()
    with continued({"traceparent": f"00-{TRACE}-{PARENT}-01", "authorization": "Bearer x"}), span("delivery"):
        pass
    with span("after"):
        pass
    stop()
    spans = collector.spans
    assert (spans["delivery"].trace_id.hex(), spans["delivery"].parent_span_id.hex()) == (TRACE, PARENT)
    assert spans["after"].trace_id.hex() != TRACE


@pytest.mark.parametrize("header", ["", "00", "zz" * 40, f"00-{'0' * 32}-{PARENT}-01", "\u00e9" * 5000])
def test_a_malformed_trace_header_begins_a_new_trace(collector: Collector, header: str) -> None:
    stop = stop_of()
    with continued({"traceparent": header}), span("delivery"):
        pass
    stop()
    assert collector.spans["delivery"].parent_span_id == b""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp")),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, ()),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ()),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ()),
    ],
)
def test_traces_are_on_only_when_the_environment_asks(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[str, ...]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert traces.exporters() == expected
    if not expected:
        assert traces.configure() is None


def test_what_is_asked_for_in_vain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert traces.unheeded() == ()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin,otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert [line.split(":")[0] for line in traces.unheeded()] == [
        "OTEL_TRACES_EXPORTER",
        "OTLP goes out as http/protobuf, not as 'grpc'",
    ]


def test_a_collector_that_never_answers_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        stop = traces.configure(goodbye=timedelta(seconds=0.5))
        assert stop
        with span("x"):
            pass
        began = time.monotonic()
        stop()
        assert time.monotonic() - began < 3
    # With the socket closed, the sender gives up at once; it must not speak up in the middle of another test.
    for thread in threading.enumerate():
        if thread.name.startswith(("traces-end", "OtelBatch")):
            thread.join(5)
            assert not thread.is_alive()


def test_no_span_is_made_for_other_libraries(collector: Collector) -> None:
    from opentelemetry import trace

    stop = stop_of()
    with span("ours"), trace.get_tracer("kiota").start_as_current_span("send_async") as theirs:
        assert not theirs.is_recording()
    stop()
    assert list(collector.spans) == ["ours"]


def test_a_span_costs_nothing_to_speak_of_when_nobody_asked() -> None:
    def one() -> None:
        with span("x", action="x", case="DC-ABCDEF") as mark:
            mark.note(status="done")

    assert min(timeit.repeat(one, number=2000, repeat=5)) / 2000 < 50e-6


def test_the_sdk_is_not_loaded_when_nobody_asked() -> None:
    code = (
        "import sys, respond.step, respond.observe.runs\n"
        "from respond.observe.traces import configure\n"
        "assert configure() is None\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus', 'pythonjson'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
