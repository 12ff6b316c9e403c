"""The brakes hold under load: many cases at once, on every machine."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import deliveries, dug_in_story, victims
from tests.helpers.command import respond
from tests.helpers.outcome import left
from tests.helpers.serving import serving
from tests.lab.running_lab import RunningLab
from tests.serving.test_one_case import storm

Start = Callable[..., RunningLab]


@pytest.mark.parametrize(("count", "limit"), [(5, 2), pytest.param(50, 10, marks=pytest.mark.soak)])
def test_of_many_cases_at_once_exactly_as_many_are_contained_as_the_limit_allows(
    count: int, limit: int, lab: Start, tmp_path: Path
) -> None:
    tenant = lab(victims.write(tmp_path / "story", count), queries_per_30s=1_000_000)
    config = dug_in_story.policy(tmp_path, limits={"per_hour": limit})
    bodies = [json.dumps(deliveries.body(number)).encode() for number in range(count)]
    with serving(RESPOND_SCHEDULE__EVERY="0s", RESPOND_CONFIG=str(config), RESPOND_SERVE__RUNS_AT_ONCE="8") as service:
        asyncio.run(storm(service, bodies, connections=8))
        service.answers(count, 240)
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    about_people = [report for report in found.reports if report.user.id]
    assert Counter(report.outcome.value for report in about_people) == {
        "contained-verified": limit,
        "awaiting-approval": count - limit,
    }
    assert sum(found.revoked.values()) == len(found.revoked) == limit
    loud = [report for report in found.reports if report.headline.startswith("LIMIT")]
    assert len(loud) in (1, 2)  # a second one when the clock strikes meanwhile
    assert respond("audit", "verify").code == 0


@pytest.mark.soak
def test_a_frozen_tenant_is_not_written_to_by_the_service_until_it_is_thawed(lab: Start, tmp_path: Path) -> None:
    tenant = lab(victims.write(tmp_path / "story", 2, [deliveries.entry(0), deliveries.entry(1)]))
    with serving(RESPOND_SCHEDULE__EVERY="0s") as service:
        assert respond("freeze", "--why", "drill", "--as", "ann").code == 0
        service.post(deliveries.body(0))
        service.answers(1)
        assert tenant.get("/_lab/writes") == []
        assert respond("thaw", "--as", "ann").code == 0
        service.post(deliveries.body(1))
        service.answers(2)
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    assert found.revoked == {victims.user_id(1): 1}
    assert Counter(report.outcome.value for report in found.reports) == {
        "contained-verified": 1,
        "awaiting-approval": 1,
    }


def test_the_service_looks_again_at_what_it_has_contained(lab: Start, tmp_path: Path) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1))
    config = dug_in_story.policy(tmp_path, watch=["1s"])
    with serving(RESPOND_SCHEDULE__EVERY="0s", RESPOND_CONFIG=str(config)) as service:
        service.post(deliveries.body(0))
        service.wait_for("followed")
        while service.wait_for("action-done", 30)["action"] != "end_watch":
            pass
    found = left(f"sqlite:///{tmp_path / 'state' / 'respond.db'}", tenant)
    assert found.revoked == {victims.user_id(0): 1}
    assert [report.outcome for report in found.reports] == ["contained-verified"]
