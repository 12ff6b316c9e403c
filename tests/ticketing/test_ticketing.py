"""A ticket outside is created at most once, whatever is lost on the way, and then updated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from respond import step
from respond.clients.connect import Connections
from respond.errors import Forbidden, NotFound, Transient, Unanswered
from respond.models.links import Link, LinkState
from respond.models.report import Outcome
from respond.models.tickets import Draft, Severity
from respond.settings import Settings
from respond.store.cases import Store
from respond.ticketing import mirror as ticketing
from tests.helpers.ticket_system_stub import TicketDesk

CASE = "DC-AAAAAA"
Write = Callable[..., str]


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Store]:
    """The state of one machine; the waits between looks are short."""
    settings = Settings.model_validate({"retry": {"first_wait": "10ms", "attempts": 4}})
    store = Store(f"sqlite:///{tmp_path / 'links.db'}")
    step.install(step.Process(settings, Connections(settings, None), store, name="this one"))
    yield store
    step.install(None)
    store.close()


def draft(body: str = "- done", outcome: Outcome = Outcome.CONTAINED_VERIFIED) -> Draft:
    return Draft(key=CASE, title="Device code phishing", body=body, severity=Severity.HIGH, outcome=outcome)


async def write(desk: TicketDesk, said: Draft | None = None) -> str:
    """As one more run about the case would."""
    return await ticketing._Mirror(desk, "lab", said or draft()).write()


def link(store: Store, system: str = "desk") -> Link:
    found = store.links.find("lab", CASE, system)
    assert found
    return found


def sending(store: Store, *, run: str = "this one", ago: timedelta = timedelta()) -> None:
    """What a killed process leaves behind."""
    at = datetime.now(UTC) - ago
    assert store.links.begin(Link(tenant="lab", case=CASE, system="desk", state=LinkState.SENDING, run=run, at=at))


async def test_it_is_created_once_and_left_alone_while_it_says_the_same(store: Store) -> None:
    desk = TicketDesk()
    assert await write(desk) == "DESK-0 opened in desk"
    assert await write(desk) == ""
    assert (len(desk.created), len(desk.updated)) == (1, 0)
    assert (link(store).state, link(store).name) == (LinkState.LINKED, "DESK-0")


async def test_it_is_updated_when_it_says_something_else_and_once() -> None:
    desk = TicketDesk()
    await write(desk)
    assert await write(desk, draft("- more")) == "DESK-0 rewritten in desk"
    assert await write(desk, draft("- more")) == ""
    assert (len(desk.created), [one.body for one in desk.updated]) == (1, ["- more"])


async def test_a_lost_answer_is_looked_into_and_not_repeated() -> None:
    desk = TicketDesk()
    desk.lose_next()
    assert await write(desk) == "DESK-0 opened in desk"
    assert await write(desk) == ""
    assert len(desk.created) == 1


async def test_what_never_arrived_is_sent_again() -> None:
    desk = TicketDesk(faults=[Unanswered("before"), Transient("503")])
    assert await write(desk) == "DESK-0 opened in desk"
    assert len(desk.created) == 1


async def test_a_short_lag_is_waited_for() -> None:
    desk = TicketDesk(lags=timedelta(milliseconds=300))
    desk.lose_next()
    assert await write(desk) == "DESK-0 opened in desk"
    assert len(desk.created) == 1


async def test_a_ticket_that_may_be_there_is_said_to_be_and_found_by_a_later_run() -> None:
    desk = TicketDesk(lags=timedelta(minutes=5))
    desk.lose_next()
    for _ in range(2):
        with pytest.raises(Unanswered, match="may have been created; it is looked for again at the next run"):
            await write(desk)
    desk.lags = timedelta()
    assert await write(desk) == "DESK-0 rewritten in desk"
    assert await write(desk) == ""
    assert len(desk.created) == 1


async def test_only_after_the_lag_is_it_created_again(store: Store) -> None:
    desk = TicketDesk(lags=timedelta(minutes=5))
    sending(store, ago=timedelta(minutes=4))
    with pytest.raises(Unanswered, match="an earlier run was sending it"):
        await write(desk)
    assert desk.created == []
    store.links.drop(link(store))
    sending(store, ago=timedelta(minutes=5))
    assert await write(desk) == "DESK-0 opened in desk"


async def test_a_run_that_died_before_it_sent_anything_goes_on_at_once(store: Store) -> None:
    desk = TicketDesk()
    sending(store)
    assert await write(desk) == "DESK-0 opened in desk"


async def test_another_run_may_still_be_sending_so_its_ticket_is_not_created_beside_it(store: Store) -> None:
    desk = TicketDesk()
    sending(store, run="another one", ago=timedelta(seconds=30))
    with pytest.raises(Unanswered, match="an earlier run was sending it"):
        await write(desk)
    assert desk.created == []
    store.links.drop(link(store))
    sending(store, run="another one", ago=timedelta(seconds=41))
    assert await write(desk) == "DESK-0 opened in desk"


async def test_several_at_once_create_one() -> None:
    desk = TicketDesk(slow=0.02)
    said = await asyncio.gather(*(write(desk) for _ in range(8)), return_exceptions=True)
    assert said.count("DESK-0 opened in desk") == 1
    assert len(desk.created) == 1
    assert await write(desk) == ""


async def test_a_system_that_is_down_leaves_nothing_and_the_next_run_creates_it(store: Store) -> None:
    desk = TicketDesk(faults=[Transient("503")] * 4)
    with pytest.raises(Transient, match="503"):
        await write(desk)
    assert store.links.find("lab", CASE, "desk") is None
    assert await write(desk) == "DESK-0 opened in desk"
    assert len(desk.created) == 1


async def test_what_is_refused_is_said_and_tried_again_by_the_next_run() -> None:
    desk = TicketDesk(faults=[Forbidden("403: grant itil")])
    with pytest.raises(Forbidden, match="grant itil"):
        await write(desk)
    assert await write(desk) == "DESK-0 opened in desk"


async def test_an_update_that_failed_is_made_by_the_next_run() -> None:
    desk = TicketDesk()
    await write(desk)
    desk.faults = [Forbidden("403")]
    with pytest.raises(Forbidden):
        await write(desk, draft("- more"))
    assert await write(desk, draft("- more")) == "DESK-0 rewritten in desk"


async def test_a_ticket_that_somebody_deleted_is_replaced_once() -> None:
    desk = TicketDesk()
    await write(desk)
    desk.deleted.add("0")
    assert await write(desk, draft("- more")) == "DESK-1 opened in desk"
    desk.deleted.add("1")
    with pytest.raises(NotFound, match="no further one is created"):
        await write(desk, draft("- even more"))
    assert len(desk.created) == 2


async def test_a_cancelled_request_is_looked_for_by_whoever_goes_on(store: Store) -> None:
    """What a process that is told to stop leaves behind."""
    desk = TicketDesk()
    desk.slow = 0.05
    task = asyncio.ensure_future(write(desk))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    desk.slow = 0
    assert link(store).state is LinkState.SENDING
    assert await write(desk) == "DESK-0 opened in desk"
    assert len(desk.created) == 1


async def test_a_mail_whose_answer_was_lost_is_not_sent_again_and_it_is_said_once() -> None:
    desk = TicketDesk(name="mail")
    desk.lose_next()
    with pytest.raises(Unanswered, match="may have been sent; look into the mailbox, it is not sent again"):
        await write(desk)
    assert await write(desk) == ""
    assert (len(desk.created), desk.looks) == (1, 0)


async def test_another_mail_is_sent_only_when_the_outcome_changes() -> None:
    desk = TicketDesk(name="mail")
    await write(desk)
    assert await write(desk, draft("- more")) == ""
    desk.lose_next()
    with pytest.raises(Unanswered, match="not sent again"):
        await write(desk, draft(outcome=Outcome.NOT_CONTAINED))
    assert await write(desk, draft(outcome=Outcome.NOT_CONTAINED)) == ""
    assert (len(desk.created), len(desk.updated)) == (1, 1)


async def test_a_mail_that_was_not_taken_is_sent_by_the_next_run() -> None:
    desk = TicketDesk(name="mail")
    await write(desk)
    desk.faults = [Forbidden("403")]
    with pytest.raises(Forbidden):
        await write(desk, draft(outcome=Outcome.NOT_CONTAINED))
    assert await write(desk, draft(outcome=Outcome.NOT_CONTAINED)) == "DESK-0 rewritten in mail"
