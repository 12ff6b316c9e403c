"""A workspace that asks to wait for longer than a look may take: the delivery is answered when the time has come."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from respond.settings import LabFault
from respond.store.cases import Store
from tests.helpers import deliveries, victims
from tests.helpers.outcome import left
from tests.helpers.serving import serving
from tests.lab.running_lab import running

ASKED = 33


@pytest.mark.soak
def test_a_delivery_whose_hunt_is_told_to_wait_is_answered_when_its_time_has_come(tmp_path: Path) -> None:
    story = victims.write(tmp_path / "story", 2)
    wait = LabFault(match="POST */query", contains=victims.user_id(0), status=429, retry_after=str(ASKED), times=1)
    env = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_RETRY__READ_BUDGET": "1s", "RESPOND_SERVE__RUNS_AT_ONCE": "1"}
    with running(story, tmp_path / "lab", faults=(wait,)) as lab, serving(RESPOND_LAB__URL=lab.url, **env) as service:
        assert service.post(deliveries.body(0)).status_code == 202
        waiting = service.wait_for("run-failed")
        assert "asks to wait until" in waiting["error"]
        done = service.wait_for("run-done", ASKED + 40)
        assert (done["user"], done["outcome"]) == (victims.user_id(0), "contained-verified")
        service.answers(1)
        found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", lab)
    assert found.revoked == {victims.user_id(0): 1}


@pytest.mark.soak
def test_a_delivery_whose_hunt_is_refused_is_handed_to_a_person(tmp_path: Path) -> None:
    story = victims.write(tmp_path / "story", 1)
    refused = LabFault(match="POST */query", contains="let approved = SigninLogs", status=403, times=0)
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    env = {"RESPOND_SCHEDULE__EVERY": "0s"}
    with (
        running(story, tmp_path / "lab", faults=(refused,)) as lab,
        serving(RESPOND_LAB__URL=lab.url, **env) as service,
    ):
        assert service.post(deliveries.body(0)).status_code == 202
        service.answers(1)
        found = left(url, lab)
    assert not found.revoked
    with closing(Store(url)) as store:
        (ticket,) = filter(None, (store.ticket(report.case) for report in store.all_reports()))
    assert "could not be judged" in ticket.body
    assert "Log Analytics answered 403" in ticket.body
