"""A wrong clock of this machine hides no attack, and is said: the time comes from the services."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers.command import respond
from tests.helpers.dug_in_story import policy
from tests.helpers.service_desk import on_lab
from tests.helpers.serving import until
from tests.helpers.tenant_story import Tale, account, guid, upn
from tests.lab.running_lab import RunningLab, running

Lab = Callable[..., RunningLab]
HOUR = timedelta(hours=1)
SLOW, FAST = timedelta(minutes=30), -timedelta(minutes=20)


def story(folder: Path) -> Path:
    """Somebody was phished 20 minutes ago."""
    tale = Tale()
    tale.user("ann")
    tale.phished("ann")
    tale.incident("ann", account("ann"))
    return tale.write(folder / "story")


@pytest.mark.parametrize(("ahead", "told"), [(SLOW, "30 min slow"), (FAST, "20 min fast")], ids=["slow", "fast"])
def test_a_command_with_a_wrong_clock_finds_the_attack_and_says_so(
    ahead: timedelta, told: str, lab: Lab, tmp_path: Path
) -> None:
    tenant = lab(story(tmp_path), clock_ahead=ahead)
    answer = respond("--user", upn("ann"), "--json")
    assert (answer.code, answer.json["verdict"], answer.json["outcome"]) == (0, "malicious", "contained-verified")
    (gap,) = (gap for gap in answer.json["gaps"] if gap["source"] == "clock")
    assert f"this machine's clock is {told} by the clock of Microsoft's services" in gap["reason"]
    assert len([one for one in tenant.get("/_lab/writes") if guid("ann") in one["path"]]) == 1


def test_a_clock_that_is_right_is_no_gap(lab: Lab, tmp_path: Path) -> None:
    lab(story(tmp_path))
    answer = respond("--user", upn("ann"), "--json")
    assert "clock" not in {gap["source"] for gap in answer.json["gaps"]}


@pytest.mark.soak
def test_the_tenant_wide_hunt_goes_by_the_services_time(lab: Lab, tmp_path: Path) -> None:
    lab(story(tmp_path), clock_ahead=SLOW)
    found = respond("hunt", "--json").json["sign_ins"]
    assert [(one["user"]["id"], one["verdict"]) for one in found] == [(guid("ann"), "malicious")]


@pytest.mark.parametrize("ahead", [SLOW, pytest.param(FAST, marks=pytest.mark.soak)], ids=["slow", "fast"])
def test_a_service_with_a_wrong_clock_answers_and_warns_once(ahead: timedelta, tmp_path: Path) -> None:
    with (
        running(story(tmp_path), tmp_path / "lab", clock_ahead=ahead) as tenant,
        on_lab(tenant, tmp_path, {"RESPOND_SCHEDULE__EVERY": "1s"}) as there,
    ):
        until(lambda: there.runs("ann") == 1, told=lambda: f"{there.service.lines[-5:]}")
        there.answer("ann")
        assert there.report("ann").outcome == "contained-verified"
        assert there.revoked("ann") == 1
        skew = [line for line in there.service.get("/metrics").text.splitlines() if "clock_skew_seconds " in line]
        assert abs(float(skew[-1].split()[1]) - ahead.total_seconds()) < 3
        assert len([line for line in there.service.lines if line["event"] == "clock-skewed"]) == 1
        last = there.store.intake.last_arrival("lab")
        assert last
        assert abs(last - there_now(ahead)) < timedelta(minutes=1)


@pytest.mark.parametrize(("ahead", "outcome"), [(2 * HOUR, "not-contained"), (-2 * HOUR, "awaiting-approval")])
def test_whether_a_question_has_timed_out_is_a_matter_of_the_services_time(
    ahead: timedelta, outcome: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab(story(tmp_path))
    ladder = {"malicious": {"revoke_sessions": "ask"}, "approval": {"timeout": "1h" if ahead > 0 * HOUR else "1s"}}
    config = ("--config", str(policy(tmp_path, **ladder, watch=[])))
    case = respond("--user", upn("ann"), "--json", *config).json["case"]
    with running(tmp_path / "story", tmp_path / "other", clock_ahead=ahead) as tenant:
        monkeypatch.setenv("RESPOND_LAB__URL", tenant.url)
        time.sleep(1.1)
        respond("watch", "--once", *config)
    assert respond("show", case, "--json").json["outcome"] == outcome


def there_now(ahead: timedelta) -> datetime:
    return datetime.now(UTC) + ahead
