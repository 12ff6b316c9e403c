"""The schedule: an attack that no rule fired for is no gap, and one that is settled is no work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.lab.state import LabState
from respond.settings import LabFault
from respond.store.cases import Store
from tests.helpers.command import respond
from tests.helpers.service_desk import Desk, beside, desk, state_of
from tests.helpers.serving import Serving, serving, until
from tests.helpers.tenant_story import Tale, account, guid, iso, now_of, real_now, upn
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group(name="serving-schedule")

_OFTEN = {"RESPOND_SCHEDULE__EVERY": "2s", "RESPOND_RETRY__ATTEMPTS": "2"}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A benign developer and victims in one tenant. The workspace does not answer the first round."""
    folder = tmp_path_factory.mktemp("schedule")
    habit = scenario.find("developer-habit")
    tale = Tale(now_of(habit))
    for name in ("ann", "cat", "sal", "tim"):
        tale.user(name)
    for name in ("ann", "cat", "sal"):
        tale.phished(name)
    tale.tried("cat")
    tale.tried("tim")
    tale.phished("gone")
    tale.incident("sal", account("sal"))
    ill = LabFault(match="POST */query", contains="p_arrived_from", status=503, times=4)
    with desk(folder, tale.write(folder / "story", beside=habit), _OFTEN, faults=(ill,)) as found:
        yield found


def rounds(service: Serving) -> list[dict[str, Any]]:
    return [line for line in service.lines if line["event"] == "schedule-round"]


def after_rounds(service: Serving, count: int) -> None:
    """Wait until so many more rounds are over."""
    wanted = len(rounds(service)) + count
    until(lambda: len(rounds(service)) >= wanted, told=lambda: f"{service.lines[-5:]}")


@pytest.mark.soak
def test_a_round_that_the_workspace_does_not_answer_is_made_up_for(there: Desk) -> None:
    until(lambda: there.runs("ann") == 1)
    first, *others = rounds(there.service)
    assert (first["level"], first["looked_at"], first["delivered"]) == ("warning", 0, 0)
    assert "503" in first["reason"]
    assert max(one["delivered"] for one in others) == 4


def test_an_attack_that_no_rule_fired_for_is_found_and_contained(there: Desk) -> None:
    until(lambda: there.runs("ann") == 1)
    there.rest()
    assert there.report("ann").outcome == "contained-verified"
    assert there.revoked("ann") == len(there.tickets_of("ann")) == 1


def test_settled_sign_ins_start_no_run_however_many_rounds_see_them(there: Desk) -> None:
    until(lambda: there.runs("cat") == 1)
    after_rounds(there.service, 3)
    there.rest()
    assert there.runs("ann") == there.runs("cat") == 1, "an attempt that issued no token is no news"
    assert there.revoked("cat") == 1


def test_benign_people_and_failed_attempts_are_not_delivered(there: Desk) -> None:
    until(lambda: any(one["looked_at"] >= 4 for one in rounds(there.service)))
    after_rounds(there.service, 1)
    there.rest()
    assert {report.user.id for report in there.reports()} == {guid("ann"), guid("cat"), guid("sal"), ""}


def test_somebody_whom_the_directory_does_not_know_has_one_ticket_however_many_rounds(there: Desk) -> None:
    until(lambda: bool(there.tickets_of("gone")))
    after_rounds(there.service, 2)
    there.rest()
    (ticket,) = there.tickets_of("gone")
    assert "no account of this tenant is called that" in ticket.body


@pytest.mark.soak
def test_it_says_who_saw_the_attack_first_and_by_how_much(there: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    until(lambda: there.runs("sal") == 1)
    there.rest()
    there.answer("sal")
    monkeypatch.setenv("RESPOND_STATE__URL", there.state)
    case = there.report("sal").case
    seen = respond("show", case, "--json").json["sightings"]
    assert [one["path"] for one in seen] == ["schedule", "webhook"]
    assert seen[0]["at"] < seen[1]["at"]
    assert seen[1]["incident"].endswith(guid("incident sal"))
    page = respond("show", case).out
    (line,) = (line for line in page.splitlines() if "seen" in line.split())
    assert "schedule" in line
    assert " first · webhook " in line
    assert line.rstrip().endswith("later")


@pytest.mark.soak
def test_a_sign_in_after_containment_and_a_row_that_came_late_are_answered(tmp_path: Path) -> None:
    began = real_now()

    def tale(at_first: bool) -> Tale:
        told = Tale(real_now())
        told.user("ann")
        told.user("lou")
        told.phished("ann", ago=timedelta(minutes=20) + (told.now - began))
        if not at_first:
            told.phished("ann", ago=timedelta(seconds=10), arrived=timedelta(0), sign_in="again")
        return told

    with desk(tmp_path, tale(at_first=True).write(tmp_path / "before"), _OFTEN) as there:
        until(lambda: there.runs("ann") == 1)
        after_rounds(there.service, 1)
        there.rest()
        first, user = there.report("ann"), there.lab.get(f"/v1.0/users/{guid('ann')}?$select={_CUT_OFF}")
        cut_off = user[_CUT_OFF]
        until(lambda: iso(real_now() - timedelta(seconds=3)) > cut_off)
        looked_until = there.store.intake.last_arrival("lab")
        assert looked_until is not None
        later = tale(at_first=False)
        later.users[0][_CUT_OFF] = cut_off
        later.phished("lou", ago=timedelta(minutes=30), arrived=later.now - looked_until + timedelta(seconds=20))
        LabState(tmp_path / "lab").load(later.write(tmp_path / "after"))
        until(lambda: there.runs("lou") == 1, told=lambda: f"{rounds(there.service)[-3:]}")
        until(lambda: there.runs("ann") == 2, told=lambda: f"{rounds(there.service)[-3:]}")
        there.rest()
        assert there.revoked("lou") == there.revoked("ann") == 1, "the lab's journal began anew with the second tale"
        second = there.report("ann")
        assert second.case != first.case
        assert second.outcome == "contained-verified"
        assert len(there.tickets_of("ann")) == 2


_CUT_OFF = "signInSessionsValidFromDateTime"


@pytest.mark.soak
def test_two_services_never_take_one_round_twice_and_leave_alone_what_a_person_has_answered(tmp_path: Path) -> None:
    tale = Tale()
    tale.user("ann")
    tale.phished("ann")
    state = state_of(tmp_path)
    with running(tale.write(tmp_path / "story"), tmp_path / "lab") as tenant, closing(Store(state)) as store:
        env = beside(tenant, state, RESPOND_SCHEDULE__EVERY="1s")
        with pytest.MonkeyPatch.context() as patch:
            for name in ("RESPOND_STATE__URL", "RESPOND_LAB__URL"):
                patch.setenv(name, env[name])
            assert respond("--user", upn("ann")).code == 0
        with serving(**env) as one, serving(**env) as two:
            there = Desk(tenant, one, store, state)
            until(lambda: len(rounds(one)) + len(rounds(two)) >= 6)
            assert (one.stop(), two.stop()) == (0, 0)
        with store.database.connect() as db:
            taken = db.exec_driver_sql("SELECT count(*) FROM respond_schedule_rounds").scalar_one()
        assert len(rounds(one)) + len(rounds(two)) <= taken
        assert [line for line in (*one.lines, *two.lines) if line["level"] != "info"] == []
        assert there.runs("ann") == there.revoked("ann") == 1
        seen = store.intake.sightings(there.report("ann").case)
        assert [sighting.path for sighting in seen] == ["command", "schedule"]


def test_the_shipped_schema_knows_the_sightings() -> None:
    assert "sightings" in json.loads(respond("schema").out)["properties"]
