"""The service in each response mode: over the webhook and on schedule, and where it says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from respond.lab import scenario
from tests.helpers.service_desk import desk
from tests.helpers.serving import until
from tests.helpers.tenant_story import Tale, account, now_of


@pytest.mark.parametrize(
    ("mode", "outcome"), [pytest.param("observe", "planned", marks=pytest.mark.soak), ("ask", "awaiting-approval")]
)
def test_a_delivery_and_a_scheduled_hunt_send_no_containment_unasked(mode: str, outcome: str, tmp_path: Path) -> None:
    habit = scenario.find("developer-habit")
    tale = Tale(now_of(habit))
    for name in ("ann", "sal"):
        tale.user(name)
        tale.phished(name)
    tale.incident("sal", account("sal"))
    env = {"RESPOND_RESPONSE__MODE": mode, "RESPOND_SCHEDULE__EVERY": "2s"}
    with desk(tmp_path, tale.write(tmp_path / "story", beside=habit), env) as there:
        assert there.service.lines[0]["mode"] == mode
        assert there.service.get("/readyz").json() == {"status": "ready", "mode": mode}
        assert f'respond_mode{{mode="{mode}"}} 1.0' in there.service.get("/metrics").text
        there.answer("sal")
        until(lambda: there.runs("ann") > 0)
        there.rest()
        for name in ("ann", "sal"):
            report = there.report(name)
            assert (report.outcome, report.response_mode) == (outcome, mode)
            assert there.revoked(name) == 0
            assert len(there.tickets_of(name)) == 1
        assert any(f"Response mode: {mode}" in text for text in there.comments("sal").values())
