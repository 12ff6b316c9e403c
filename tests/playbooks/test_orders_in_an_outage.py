"""What was ordered while the directory is away is done when it is back; a recheck is put off, and tells nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.answered_cases import ASKING, Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.dug_in_story import DEVICE, policy
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
answered = _answered


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_RETRY__MAKE_UP", '["200ms"]')
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "2")
    monkeypatch.setenv("RESPOND_RETRY__FIRST_WAIT", "10ms")


@contextmanager
def away(tenant: RunningLab, match: str = "* /v1.0/*", status: int = 503) -> Iterator[None]:
    """A service that does not answer, until the end of the block."""
    tenant.request("POST", "/_lab/faults", body=[{"match": match, "status": status, "times": 0}])
    yield
    tenant.request("POST", "/_lab/faults", body=[])


def enabled(tenant: RunningLab) -> bool:
    devices: list[dict[str, Any]] = tenant.get("/_lab/directory")["devices"]
    return next(bool(one["accountEnabled"]) for one in devices if one["id"] == DEVICE)


def test_what_was_approved_in_an_outage_is_done_when_it_is_over(answered: Answered, tmp_path: Path) -> None:
    asked = answered(Way.ASKED)
    config = ("--config", str(policy(tmp_path, malicious=ASKING, watch=[])))
    with away(asked.tenant):
        said = respond("approve", asked.id, "--as", "ann", *config)
        assert (said.code, said.err.count("\n")) == (1, 1)
        assert "Graph answered 503" in said.err
        assert "respond serve or respond watch tries it again" in said.err
    time.sleep(0.3)
    assert respond("watch", "--once", *config).code == 0
    report = respond("show", asked.id, "--json").json
    assert report["outcome"] == "contained-verified"
    assert {one["by"] for one in report["actions"] if one["step"]} == {"ann"}
    assert len(revocations(asked.tenant)) == 1


@pytest.mark.soak
def test_an_undo_in_an_outage_is_done_when_it_is_over(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    assert not enabled(contained.tenant)
    with away(contained.tenant):
        said = respond("undo", contained.id, "--as", "ann")
        assert (said.code, said.err.count("\n")) == (1, 1)
        assert "respond serve or respond watch tries it again" in said.err
    time.sleep(0.3)
    respond("watch", "--once")
    assert enabled(contained.tenant)
    assert any(one["status"] == "done" for one in respond("show", contained.id, "--json").json["actions"])


@pytest.mark.soak
def test_of_an_undo_only_what_an_outage_kept_back_is_tried_again(answered: Answered) -> None:
    contained = answered(Way.CONTAINED)
    with away(contained.tenant, f"PATCH */devices/{DEVICE}"):
        assert respond("undo", contained.id, "--as", "ann").code == 1
        assert not enabled(contained.tenant)
    before = len(contained.tenant.get("/_lab/writes"))
    time.sleep(0.3)
    respond("watch", "--once")
    assert enabled(contained.tenant)
    assert len(contained.tenant.get("/_lab/writes")) == before + 1


def test_a_recheck_in_an_outage_is_put_off_and_tells_nobody(lab: Lab, tmp_path: Path) -> None:
    tenant = lab()
    config = ("--config", str(policy(tmp_path, watch=["1s"])))
    first = respond("--user", VICTIM, "--json", *config)
    time.sleep(1.1)
    with away(tenant):
        respond("watch", "--once", *config)
    assert len(respond("cases", "--json").json) == 1, "a look that was put off is no case"
    assert not respond("show", first.json["case"], "--json").json["confirmed_at"]
    watched = respond("watch", *config)
    assert watched.code == 0, watched.err
    assert respond("show", first.json["case"], "--json").json["confirmed_at"]


@pytest.mark.parametrize(
    ("match", "who"), [pytest.param("* /v1.0/*", "Graph", marks=pytest.mark.soak), ("POST */query", "Log Analytics")]
)
def test_a_command_in_an_outage_says_who_does_not_answer_and_what_to_do(lab: Lab, match: str, who: str) -> None:
    tenant = lab()
    with away(tenant, match):
        said = respond("--user", VICTIM)
    assert (said.code, said.err.count("\n")) == (1, 1), said.err
    assert f"{who} answered 503" in said.err
    assert "run it again when the service answers" in said.err
    again = respond("--user", VICTIM, "--json")
    assert (again.code, again.json["outcome"]) == (0, "contained-verified")
