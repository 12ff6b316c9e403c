"""How the service begins and ends: it refuses what cannot work in one line, and leaves nothing half done."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.helpers import deliveries, victims
from tests.helpers.command import respond, revocations
from tests.helpers.outcome import left
from tests.helpers.serving import serving, serving_fresh
from tests.lab.running_lab import RunningLab
from tests.webhook.test_gate import SECRET

Start = Callable[..., RunningLab]
AZURE = {"RESPOND_TENANT__MODE": "azure", "RESPOND_TENANT__TENANT_ID": "5a5a5a5a-0000-4000-8000-000000000001"} | {
    "RESPOND_TENANT__WORKSPACE_ID": "5a5a5a5a-0000-4000-8000-000000000002"
}
SIGNED = {"RESPOND_WEBHOOK__HMAC_SECRET": SECRET}
TOKENS = {"RESPOND_WEBHOOK__AUDIENCE": "api://contoso.com/respond"}


def refuses(monkeypatch: pytest.MonkeyPatch, said: str, *arguments: str, **env: str) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    answer = respond(*arguments)
    assert (answer.code, answer.out) == (2, ""), answer
    (line,) = answer.err.splitlines()
    assert line.startswith("respond: ")
    assert said in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("host", "env", "said"),
    [
        ("0.0.0.0", {}, "webhook.audience"),  # noqa: S104 - refused
        ("::", {}, "webhook.audience"),
        ("192.0.2.1", {}, "webhook.audience"),
        ("127.0.0.1", AZURE, "webhook.audience"),
        ("127.0.0.1", {"RESPOND_WEBHOOK__HMAC_SECRET": "hunter2"}, "webhook.hmac_secret"),
        ("0.0.0.0", {"RESPOND_WEBHOOK__HMAC_SECRET": "hunter2"}, "webhook.hmac_secret"),  # noqa: S104
        ("127.0.0.1", TOKENS | {"RESPOND_WEBHOOK__CALLERS": '["logic-app"]'}, "webhook.callers"),
        ("127.0.0.1", TOKENS | {"RESPOND_WEBHOOK__CALLERS": "logic-app"}, "RESPOND_WEBHOOK__CALLERS"),
        ("127.0.0.1", TOKENS | {"RESPOND_WEBHOOK__APP_ROLE": ""}, "webhook.callers"),
        ("127.0.0.1", {"RESPOND_WEBHOOK__BODY_WITHIN": "0s"}, "webhook.body_within"),
        ("192.0.2.1", SIGNED, "--host 192.0.2.1 --port 0: cannot be listened on"),
        ("no-such-host.invalid", SIGNED, "--host no-such-host.invalid"),
    ],
)
def test_it_does_not_start_open_to_all_or_misconfigured(
    host: str, env: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(monkeypatch, said, "serve", "--host", host, "--port", "0", **env)


def test_a_port_that_is_taken_is_one_line_and_no_run_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refuses(monkeypatch, f"--port {port}: cannot be listened on", "serve", "--port", str(port))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("key", ["URL", "DIR"])
@pytest.mark.parametrize("place", ["/proc/respond", "{tmp}/file/state"])
def test_a_state_that_cannot_be_written_is_one_line(
    key: str, place: str, lab: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")
    lab()
    folder = place.format(tmp=tmp_path)
    where = f"sqlite:///{folder}/respond.db" if key == "URL" else folder
    refuses(monkeypatch, f"state.{key.lower()}: ", "serve", "--port", "0", **{f"RESPOND_STATE__{key}": where})


def test_a_state_file_that_is_none_is_one_line(lab: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab()
    (tmp_path / "respond.db").write_text("this is no database " * 100)
    refuses(monkeypatch, "state.url", "serve", "--port", "0", RESPOND_STATE__URL=f"sqlite:///{tmp_path}/respond.db")


def test_a_worker_shares_nothing_through_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses(monkeypatch, "state.url", "worker")


QUIET = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "1s"}


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_told_to_stop_it_finishes_what_it_has_begun(number: signal.Signals, lab: Start, tmp_path: Path) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1, [deliveries.entry(0)]), graph_latency=timedelta(milliseconds=400))
    with serving_fresh(**QUIET, RESPOND_SERVE__GRACE="30s") as service:
        assert service.post(deliveries.body(0)).status_code == 202
        service.wait_for("action-done")
        service.tell(number)
        assert service.ended(30) == 0
    events = [line["event"] for line in service.lines]
    assert events.index("run-done") < events.index("stopped") == len(events) - 1
    assert service.lines[-1]["left_to_others"] == 0
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    assert [report.outcome for report in found.reports] == ["contained-verified"]
    assert found.revoked == {victims.user_id(0): 1}


@pytest.mark.soak
def test_what_takes_longer_is_left_to_the_next_which_does_it_once(lab: Start, tmp_path: Path) -> None:
    """The first leaves when its grace is over, the second when it is told again; the third goes on."""
    tenant = lab(victims.write(tmp_path / "story", 1, [deliveries.entry(0)]), logs_latency=timedelta(seconds=1))
    with serving(**QUIET, RESPOND_SERVE__GRACE="300ms") as first:
        assert first.post(deliveries.body(0)).status_code == 202
        first.wait_for("action-done")
        first.tell(signal.SIGTERM)
        assert first.ended(5) == 0
        assert first.lines[-1] | {"event": "stopped"} == first.lines[-1]
        assert first.lines[-1]["left_to_others"] > 0
    with serving(**QUIET, RESPOND_SERVE__GRACE="60s") as second:
        second.wait_for("action-done")
        second.tell(signal.SIGINT)
        time.sleep(0.5)
        assert second.code is None
        second.tell(signal.SIGINT)
        assert second.ended(5) == 0
        assert second.lines[-1]["left_to_others"] > 0
    with serving(**QUIET) as third:
        third.answers(1)
        assert third.stop() == 0
    told = [line for one in (first, second, third) for line in one.lines]
    assert [line["outcome"] for line in told if line["event"] == "run-done"] == ["contained-verified"]
    bad = ("action-failed", "run-failed", "run-broke", "defect", "no-json", "library")
    assert [line for line in told if line["event"] in bad] == []
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    assert len(found.tickets) == 1
    assert len(revocations(tenant)) == 1


def test_told_to_stop_it_takes_nothing_new_and_answers_what_it_has(lab: Start, tmp_path: Path) -> None:
    lab(victims.write(tmp_path / "story", 1, [deliveries.entry(0)]))
    with serving(**QUIET) as service:
        host, port = service.url.removeprefix("http://").split(":")
        body = json.dumps(deliveries.body(0)).encode()
        with socket.create_connection((host, int(port)), timeout=10) as half:
            fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            half.sendall(f"POST /webhooks/sentinel HTTP/1.1\r\n{fields}".encode() + body[:20])
            time.sleep(0.2)
            service.tell(signal.SIGTERM)
            time.sleep(0.5)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)), timeout=5)
            half.sendall(body[20:])
            assert half.recv(65536).startswith(b"HTTP/1.1 202 ")
        assert service.ended(40) == 0
    assert [line["outcome"] for line in service.lines if line["event"] == "run-done"] == ["contained-verified"]
