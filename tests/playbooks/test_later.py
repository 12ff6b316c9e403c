"""A service that asks for a long wait: the run ends and says so, and what it could not do is done when it may be."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from respond.errors import NotAsked, Transient
from respond.models import wire
from respond.models.report import Report
from respond.session import open_session
from respond.settings import LabFault, shipped_config
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.dug_in_story import REVOKE, policy
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
QUERY = "POST */query"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait of seconds is a long one."""
    monkeypatch.setenv("RESPOND_RETRY__WRITE_BUDGET", "1s")


def revoked(tenant: RunningLab) -> int:
    """How often sessions were revoked, without what was refused."""
    return sum(write["status"] == 200 for write in revocations(tenant))


def throttled(match: str, seconds: str, **more: object) -> LabFault:
    return LabFault.model_validate({"match": match, "status": 429, "retry_after": seconds, **more})


@pytest.mark.usefixtures("hurried")
def test_a_revocation_that_has_to_wait_is_sent_when_it_may_be_and_once(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(faults=(throttled(REVOKE, "2"),))
    config = str(policy(tmp_path, watch=[]))
    first = respond("--user", VICTIM, "--json", "--config", config)
    assert (first.code, first.json["outcome"]) == (1, "not-contained")
    failed = first.action("revoke_sessions")
    assert failed["status"] == "failed"
    assert "it asks to wait until " in failed["summary"]
    assert "respond serve or respond watch tries it again" in failed["summary"]
    assert revoked(tenant) == 0
    watched = respond("watch", "--config", config)
    assert watched.code == 0, watched.err
    assert "contained-verified" in watched.out
    again = json.loads(respond("show", first.json["case"], "--json").out)
    assert again["outcome"] == "contained-verified"
    assert next(one for one in again["actions"] if one["name"] == "revoke_sessions")["again"] is None
    assert again["ticket"]["id"] == first.json["ticket"]["id"]
    assert revoked(tenant) == 1
    respond("watch", "--once", "--config", config)
    assert revoked(tenant) == 1


@pytest.mark.soak
@pytest.mark.usefixtures("hurried")
def test_a_date_is_waited_for_as_well_and_again_when_it_is_put_off(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(faults=(throttled(REVOKE, "+2s"), throttled(REVOKE, "2")))
    config = str(policy(tmp_path, watch=[]))
    assert respond("--user", VICTIM, "--config", config).code == 1
    watched = respond("watch", "--config", config)
    assert [line.split(": ")[1] for line in watched.out.splitlines()] == ["not-contained", "contained-verified"]
    assert revoked(tenant) == 1


def test_beyond_three_minutes_the_run_ends_at_once(lab: Lab) -> None:
    lab(faults=(throttled(REVOKE, "900", times=0),))
    began = time.monotonic()
    answer = respond("--user", VICTIM, "--json")
    assert time.monotonic() - began < 60
    assert answer.code == 1
    assert answer.action("revoke_sessions")["again"] > answer.json["timeline"][-1]["at"]
    assert answer.action("open_ticket")["status"] == "done"


def test_a_hunt_that_has_to_wait_says_until_when_in_one_line(lab: Lab) -> None:
    lab(faults=(throttled(QUERY, "900", times=0),))
    answer = respond("--user", VICTIM)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "Log Analytics" in answer.err
    assert "asks to wait until 20" in answer.err


def test_the_moment_is_kept_with_what_a_run_has_recorded() -> None:
    until = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
    kept = wire.loads(wire.dumps(NotAsked("Log Analytics: not yet", until=until)))
    assert isinstance(kept, NotAsked)
    assert (kept.message, kept.until) == ("Log Analytics: not yet", until)
    assert wire.loads(wire.dumps(Transient("no answer"))).until is None


def test_a_run_whose_hunt_has_to_wait_ends_with_the_moment_and_a_ticket(lab: Lab) -> None:
    lab(faults=(throttled(QUERY, "900", times=0),))

    async def run() -> Report:
        async with open_session(shipped_config()) as session:
            return await session.respond_to(VICTIM, since=None, dry_run=False)

    report = asyncio.run(run())
    assert (report.outcome, report.ticket is not None) == ("not-contained", True)
    until = datetime.strptime(report.broke.rpartition("it asks to wait until ")[2], "%Y-%m-%d %H:%M:%S%z")
    assert timedelta(minutes=10) < until - datetime.now(UTC) < timedelta(minutes=15)
