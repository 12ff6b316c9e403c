"""One need is one case: however it arrives, however often, and whatever runs beside it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.helpers import deliveries, dug_in_story, victims
from tests.helpers.command import finish, spawn
from tests.helpers.outcome import comments, left
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]


async def storm(service: Serving, bodies: list[bytes], *, connections: int) -> Counter[int]:
    """Deliver from several connections at the same time; how often each status came back."""
    waiting = list(reversed(bodies))
    statuses: Counter[int] = Counter()

    async def sender() -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=patiently(60)) as client:
            while waiting:
                answer = await client.post(
                    "/webhooks/sentinel", content=waiting.pop(), headers={"Content-Type": "application/json"}
                )
                statuses[answer.status_code] += 1

    await asyncio.gather(*(sender() for _ in range(connections)))
    return statuses


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_many_deliveries_of_one_incident_are_one_case_one_revoke_one_ticket(
    count: int, lab: Start, tmp_path: Path
) -> None:
    tenant = lab(victims.write(tmp_path / "story", 1, [deliveries.entry(0)]))
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    # Retries of one run have one body; runs of the update trigger each have their own.
    retried = json.dumps(deliveries.body(0)).encode()
    updates = [json.dumps(deliveries.body(0, kind="Update", severity="High")).encode() for _ in range(count // 2)]
    with serving(RESPOND_SCHEDULE__EVERY="2s") as service:
        beside = spawn("--user", victims.upn(0), "--json")
        statuses = asyncio.run(storm(service, [retried] * (count // 2) + updates, connections=8))
        by_hand = finish(beside)
        until(lambda: service.depth().get("accepted", 0) + service.depth().get("asked", 0) == 0, 90)
        assert statuses == {202: count}
        assert by_hand.code == 0, by_hand
        again = service.post(retried).json()
        assert again["duplicate"]
        assert again["cases"] == [by_hand.json["case"]]
    found = left(url, tenant)
    assert [report.case for report in found.reports] == [by_hand.json["case"]]
    assert found.reports[0].outcome == "contained-verified"
    assert found.tickets == [by_hand.json["case"]]
    assert found.revoked == {victims.user_id(0): 1}
    said = comments(tenant, deliveries.arm_id(0))
    assert len(said) == 2, said
    assert len({comment["name"] for comment in said}) == 2


@pytest.mark.parametrize(
    ("count", "kills"),
    [(4, 1), pytest.param(12, 3, marks=pytest.mark.soak), pytest.param(60, 3, marks=pytest.mark.soak)],
)
def test_different_incidents_are_a_case_each_and_none_is_lost_though_the_process_is_killed(
    count: int, kills: int, lab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_CONFIG", str(dug_in_story.policy(tmp_path, limits=dug_in_story.UNLIMITED)))
    tenant = lab(victims.write(tmp_path / "story", count), queries_per_30s=1_000_000)
    url = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    bodies = [json.dumps(deliveries.body(number)).encode() for number in range(count)]
    accepted = 0
    parts = kills + 1
    for part in range(parts):
        with serving(RESPOND_SCHEDULE__EVERY="0s", RESPOND_SERVE__BEAT="1s") as service:
            mine = bodies[part * count // parts : (part + 1) * count // parts]
            assert asyncio.run(storm(service, mine, connections=8)) == {202: len(mine)}
            accepted += len(mine)
            if part < kills:
                service.wait_for("run-done")
                service.kill()
            else:
                service.answers(accepted, 200)
    found = left(url, tenant)
    assert Counter(report.outcome for report in found.reports) == {"contained-verified": count}
    assert {report.user.id for report in found.reports} == set(map(victims.user_id, range(count)))
    assert len(found.tickets) == count
    assert found.revoked == {victims.user_id(number): 1 for number in range(count)}
