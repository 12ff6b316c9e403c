"""A person at the command line beside a service that runs: on one file, and on the same cases.

The service has begun to sign two people out when the tests begin, and Graph lets it wait: for the first as long as the
tests run, for the second until a test opens the gate. A third person is answered at the command line meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from respond.store.cases import Store
from tests.helpers.command import Answer, respond
from tests.helpers.holding_proxy import Gate, gate
from tests.helpers.patience import patiently
from tests.helpers.service_desk import Desk, beside, state_of
from tests.helpers.serving import serving, until
from tests.helpers.tenant_story import Tale, account, guid, upn
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group(name="serving-beside")

_HELD = {name: f"{guid(name)}/revokeSignInSessions" for name in ("ann", "bob")}


@dataclass(frozen=True)
class Place:
    """One tenant and one service for all tests, and the gate at which the service waits.

    Attributes:
        deliveries: their ids, by person.
    """

    desk: Desk
    gate: Gate
    deliveries: dict[str, str]


@dataclass(frozen=True)
class ByHand:
    """A command about a third person, and the runs that the service had under way before and after it."""

    answer: Answer
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("beside")
    tale = Tale()
    for name in (*_HELD, "dan"):
        tale.user(name)
        tale.phished(name)
        tale.incident(name, account(name))
    state = state_of(folder)
    with ExitStack() as stack:
        tenant = stack.enter_context(running(tale.write(folder / "story"), folder / "lab"))
        before_graph = stack.enter_context(gate(tenant.url, *_HELD.values()))
        patience = {"RESPOND_LAB__URL": before_graph.url, "RESPOND_RETRY__REQUEST_TIMEOUT": f"{patiently(120):.0f}s"}
        service = stack.enter_context(serving(**beside(tenant, state, **patience)))
        there = Desk(tenant, service, stack.enter_context(closing(Store(state))), state)
        deliveries = {name: there.deliver(there.notice(name))["delivery"] for name in _HELD}
        until(lambda: len(before_graph.held) == len(_HELD), 20, lambda: f"{service.lines[-6:]}")
        yield Place(there, before_graph, deliveries)


@pytest.fixture(scope="module")
def same_place(place: Place) -> Iterator[None]:
    """The command line works on the state and the lab of the service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_STATE__URL", place.desk.state)
        patch.setenv("RESPOND_LAB__URL", place.desk.lab.url)
        yield


@pytest.fixture(scope="module")
def by_hand(place: Place, same_place: None) -> ByHand:
    del same_place
    before = going(place.desk)
    answer = respond("--user", upn("dan"), "--json")
    return ByHand(answer, before, going(place.desk))


@pytest.fixture
def there(place: Place, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("RESPOND_STATE__URL", place.desk.state)
    monkeypatch.setenv("RESPOND_LAB__URL", place.desk.lab.url)
    return place.desk


def going(there: Desk) -> dict[str, str]:
    """Unfinished runs about users, and whose they are."""
    query = "SELECT workflow_uuid, executor_id FROM workflow_status WHERE name = ? AND status = 'PENDING'"
    with there.store.database.connect() as db:
        rows = db.exec_driver_sql(query, ("device_code_phishing",)).all()
    return {str(run): str(owner) for run, owner in rows}


def test_a_command_about_somebody_else_leaves_the_runs_of_the_service_alone(by_hand: ByHand) -> None:
    assert by_hand.answer.code == 0
    assert by_hand.answer.json["outcome"] == "contained-verified"
    assert by_hand.before
    assert by_hand.after == by_hand.before


def test_cases_and_show_answer_while_the_service_is_at_work(there: Desk, by_hand: ByHand) -> None:
    listed = {case["user"]["upn"]: case for case in respond("cases", "--json").json}
    assert listed[upn("dan")]["case"] == by_hand.answer.json["case"]
    shown = respond("show", by_hand.answer.json["case"])
    assert shown.code == 0
    assert upn("dan") in shown.out
    assert upn("ann") not in listed
    assert going(there), "the service was at it all the while"


def test_a_command_about_the_same_person_waits_for_the_run_of_the_service(place: Place, there: Desk) -> None:
    before = going(there)

    def open_when_it_waits() -> None:
        until(lambda: _has_come("bob", there))
        place.gate.open(_HELD["bob"])

    opener = threading.Thread(target=open_when_it_waits)
    opener.start()
    answer = respond("--user", upn("bob"), "--json")
    opener.join(patiently(60))
    assert answer.code == 0
    assert answer.json["run"] in before
    assert answer.json["outcome"] == "contained-verified"
    until(lambda: there.delivered(place.deliveries["bob"])[0] == "answered")
    assert there.revoked("bob") == there.runs("bob") == len(there.tickets_of("bob")) == 1
    assert [one.path for one in there.store.intake.sightings(answer.json["case"])] == ["webhook", "command"]


def _has_come(name: str, there: Desk) -> bool:
    """Whether a command has found the case of somebody."""
    query = (
        "SELECT count(*) FROM respond_sightings JOIN respond_cases ON id = case_id"
        " WHERE path = 'command' AND user_id = ?"
    )
    with there.store.database.connect() as db:
        return bool(db.exec_driver_sql(query, (guid(name),)).scalar_one())


def test_a_delivery_about_what_a_person_has_answered_is_one_case_with_it(there: Desk, by_hand: ByHand) -> None:
    case = by_hand.answer.json["case"]
    key = there.deliver(there.notice("dan"))["delivery"]
    until(lambda: there.delivered(key)[0] == "answered")
    until(lambda: len(there.comments("dan")) == 2)
    assert there.report("dan").case == case
    assert there.revoked("dan") == len(there.tickets_of("dan")) == 1
    seen = respond("show", case, "--json").json["sightings"]
    assert [one["path"] for one in seen] == ["command", "webhook"]
    assert case in "".join(there.comments("dan").values())
