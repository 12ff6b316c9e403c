"""Nothing waits for ever: a run whose end could not be recorded goes on, and so does what an older version left."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import deliveries, victims
from tests.helpers.command import respond
from tests.helpers.outcome import left
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]

_QUICK = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_SERVE__BEAT": "500ms"}
_NO_LIMIT = resource.RLIM_INFINITY


@pytest.fixture
def victim(lab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningLab:
    tenant = lab(victims.write(tmp_path / "story", 1), logs_latency="2s")
    monkeypatch.setenv("RESPOND_STATE__URL", url_of(tmp_path))
    return tenant


def url_of(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state' / 'respond.db'}"


def fill_the_disk(service: Serving, *, full: bool) -> None:
    """No file of the process grows any more, as on a disk without room."""
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (0 if full else _NO_LIMIT, _NO_LIMIT))


def test_after_a_full_disk_runs_come_to_their_end(victim: RunningLab, tmp_path: Path) -> None:
    with serving(**_QUICK) as service:
        assert service.post(deliveries.body(0)).status_code == 202
        service.wait_for("action-done")
        fill_the_disk(service, full=True)
        until(lambda: service.get("/readyz").status_code == 503)
        answer = service.get("/readyz").json()
        assert "the state database" in answer["detail"]
        assert "INSERT" not in answer["detail"]
        assert service.post(deliveries.body(0, event="5a5a5a5a-0000-4000-8000-00000000e001")).status_code == 503
        until(lambda: any(line["event"] in ("run-failed", "action-failed") for line in tuple(service.lines)), 30)
        fill_the_disk(service, full=False)
        until(lambda: service.get("/readyz").status_code == 200, 60, lambda: service.get("/readyz").text)
        service.answers(1, 120)
        told = str(service.lines)
        assert "INSERT INTO" not in told
        assert "parameters" not in told
    found = left(url_of(tmp_path), victim)
    assert {report.outcome for report in found.reports} == {"contained-verified"}
    assert found.revoked == {victims.user_id(0): 1}


@pytest.mark.soak
def test_a_command_does_with_an_older_versions_run_what_the_service_does(victim: RunningLab, tmp_path: Path) -> None:
    old = Serving("serve", "--port", "0", env=_QUICK, fresh=True, module="tests.helpers.older_version")
    old.listens()
    assert old.post(deliveries.body(0)).status_code == 202
    until(lambda: any(line.get("action") == "open_case" for line in tuple(old.lines)))
    old.kill()
    answer = respond("--user", victims.upn(0), "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified"), answer.err
    assert left(url_of(tmp_path), victim).revoked == {victims.user_id(0): 1}
