"""A person at the command line beside a service that runs: on one file, and on the same cases.

The service has begun to sign two people out when the tests begin, and Graph lets it wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from respond.store.cases import Store
from tests.helpers.command import respond
from tests.helpers.holding_proxy import Gate, gate
from tests.helpers.service_desk import Desk, beside, state_of
from tests.helpers.serving import serving, until
from tests.helpers.tenant_story import Tale, account, guid, upn
from tests.lab.running_lab import running

_HELD = ("ann", "bob")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Gate]]:
    """One tenant and one service for all tests, and the gate at which the service waits."""
    folder: Path = tmp_path_factory.mktemp("beside")
    tale = Tale()
    for name in (*_HELD, "dan"):
        tale.user(name)
        tale.phished(name)
        tale.incident(name, account(name))
    state = state_of(folder)
    with ExitStack() as stack:
        tenant = stack.enter_context(running(tale.write(folder / "story"), folder / "lab"))
        before_graph = stack.enter_context(gate(tenant.url, "revokeSignInSessions"))
        patient = {"RESPOND_LAB__URL": before_graph.url, "RESPOND_RETRY__REQUEST_TIMEOUT": "120s"}
        service = stack.enter_context(serving(**beside(tenant, state, **patient)))
        there = Desk(tenant, service, stack.enter_context(closing(Store(state))), state)
        for name in _HELD:
            there.deliver(there.notice(name))
        until(lambda: len(before_graph.held) == len(_HELD), 20, lambda: f"{service.lines[-6:]}")
        yield there, before_graph


@pytest.fixture
def there(place: tuple[Desk, Gate]) -> Desk:
    return place[0]


@pytest.fixture(autouse=True)
def _same_place(there: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line works on the state and the lab of the service."""
    monkeypatch.setenv("RESPOND_STATE__URL", there.state)
    monkeypatch.setenv("RESPOND_LAB__URL", there.lab.url)


def going(there: Desk) -> dict[str, str]:
    """Unfinished runs about users, and whose they are."""
    query = "SELECT workflow_uuid, executor_id FROM workflow_status WHERE name = ? AND status = 'PENDING'"
    with there.store.database.connect() as db:
        rows = db.exec_driver_sql(query, ("device_code_phishing",)).all()
    return {str(run): str(owner) for run, owner in rows}


def test_a_command_about_somebody_else_leaves_the_runs_of_the_service_alone(there: Desk) -> None:
    before = going(there)
    answer = respond("--user", upn("dan"), "--json")
    assert answer.code == 0
    assert answer.json["outcome"] == "contained-verified"
    assert len(before) == len(_HELD)
    assert going(there) == before


def test_cases_and_show_answer_meanwhile(there: Desk) -> None:
    (listed,) = respond("cases", "--json").json
    assert listed["user"]["upn"] == upn("dan")
    shown = respond("show", listed["case"])
    assert shown.code == 0
    assert upn("dan") in shown.out
    assert len(going(there)) == len(_HELD), "the service was at it all the while"


def test_a_command_about_the_same_person_waits_for_the_run_of_the_service(place: tuple[Desk, Gate]) -> None:
    there, before_graph = place
    before = going(there)

    def open_when_it_waits() -> None:
        until(lambda: _has_come("ann", there))
        before_graph.open()

    opener = threading.Thread(target=open_when_it_waits)
    opener.start()
    answer = respond("--user", upn("ann"), "--json")
    opener.join(60)
    assert answer.code == 0
    assert answer.json["run"] in before
    assert answer.json["outcome"] == "contained-verified"
    there.rest()
    for name in _HELD:
        assert there.revoked(name) == there.runs(name) == len(there.tickets_of(name)) == 1
    assert [one.path for one in there.store.intake.sightings(answer.json["case"])] == ["webhook", "command"]


def _has_come(name: str, there: Desk) -> bool:
    """Whether a command has found the case of somebody."""
    query = (
        "SELECT count(*) FROM respond_sightings JOIN respond_cases ON id = case_id"
        " WHERE path = 'command' AND user_id = ?"
    )
    with there.store.database.connect() as db:
        return bool(db.exec_driver_sql(query, (guid(name),)).scalar_one())


def test_a_delivery_about_what_a_person_has_answered_is_one_case_with_it(there: Desk) -> None:
    case = there.report("dan").case
    there.answer("dan")
    assert there.report("dan").case == case
    assert there.revoked("dan") == len(there.tickets_of("dan")) == 1
    seen = respond("show", case, "--json").json["sightings"]
    assert [one["path"] for one in seen] == ["command", "webhook"]
    assert case in "".join(there.comments("dan").values())
