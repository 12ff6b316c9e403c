"""One ticket a case through ServiceNow, Jira and GitHub as they are, counted in the system, whatever is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond import step
from respond.clients.connect import Connections
from respond.clients.ticketing.system import TicketSystem
from respond.errors import Forbidden, Unanswered
from respond.settings import Settings
from respond.store.cases import Store
from respond.ticketing import mirror as ticketing
from tests.fakes.served import LOST, Answer, Fault
from tests.ticketing.systems import BY_NAME, CASE, KINDS, both, draft

each = pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
UNSURE = "may have been created; it is looked for again at the next run"


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Store]:
    """The state of one machine; the waits between looks are short."""
    settings = Settings.model_validate({"retry": {"first_wait": "10ms", "attempts": 4}})
    store = Store(f"sqlite:///{tmp_path / 'links.db'}")
    step.install(step.Process(settings, Connections(settings, None), store, name="this one"))
    yield store
    step.install(None)
    store.close()


async def write(system: TicketSystem, body: str = "- done") -> str:
    """As one more run about the case would."""
    return await ticketing._Mirror(system, "lab", draft(body)).write()


def created(kind: str, fake: Any) -> int:
    return BY_NAME[kind].created(fake)


@each
@pytest.mark.parametrize("answer", [LOST, Answer(500), Answer(502, b"<html>")])
async def test_a_lost_answer_makes_no_second_ticket(kind: str, answer: Answer) -> None:
    async with both(kind) as (system, fake):
        fake.faults.append(Fault("POST", answer, worked=True))
        assert (await write(system)).endswith(f"opened in {kind}")
        assert await write(system) == ""
        assert await write(system, "- more")
        assert created(kind, fake) == 1


@each
async def test_what_a_system_does_after_its_answer_was_lost_makes_no_second_ticket(kind: str) -> None:
    async with both(kind) as (system, fake):
        system.lags /= 10 if kind == "github" else 1
        fake.faults.append(Fault("POST", LOST, late=0.4))
        if kind == "github":  # ten seconds, a tenth of them here, are waited for
            assert await write(system) == "#1 opened in github"
        else:
            with pytest.raises(Unanswered, match=UNSURE):
                await write(system)
            await asyncio.sleep(0.6)
        await write(system)
        assert await write(system) == ""
        assert created(kind, fake) == 1


@each
async def test_what_never_arrived_is_created_once_it_would_be_found(kind: str) -> None:
    async with both(kind) as (system, fake):
        lags = system.lags
        assert lags > timedelta()
        system.lags = timedelta(minutes=1)
        fake.faults.append(Fault("POST", LOST))
        for _ in range(2):
            with pytest.raises(Unanswered, match=UNSURE):
                await write(system)
        assert created(kind, fake) == 0
        system.lags = timedelta()
        assert (await write(system)).endswith(f"opened in {kind}")
        assert created(kind, fake) == 1


async def test_jira_s_search_that_lags_makes_no_second_issue() -> None:
    async with both("jira") as (system, fake):
        fake.lags = True
        fake.faults.append(Fault("POST", Answer(500), worked=True))
        for _ in range(3):
            with pytest.raises(Unanswered, match=UNSURE):
                await write(system)
        fake.index()
        assert await write(system) == "SEC-1 rewritten in jira"
        assert await write(system) == ""
        assert len(fake.issues) == 1


async def test_an_import_set_may_be_sent_again_at_once() -> None:
    async with both("servicenow", import_set="u_respond") as (system, fake):
        fake.faults += [Fault("POST", LOST), Fault("POST", LOST, late=0.3), Fault("POST", Answer(500), worked=True)]
        assert await write(system) == "INC0000001 opened in servicenow"
        await asyncio.sleep(0.5)
        assert await write(system) == ""
        assert len(fake.records) == 1


async def test_of_two_records_that_people_made_for_a_case_the_first_is_kept_up_to_date() -> None:
    async with both("servicenow") as (system, fake):
        fake.faults.append(Fault("POST", LOST, worked=True))
        await write(system)
        await system.create(draft())
        await write(system, "- more")
        assert [record["description"][-4:] for record in fake.records] == ["more", "oval"]


@each
async def test_throttled_it_waits_as_told_and_is_created_once(kind: str) -> None:
    async with both(kind) as (system, fake):
        status = 403 if kind == "github" else 429
        fake.faults += [Fault("POST", Answer(status, {}, {"Retry-After": "0"}))] * 2
        assert (await write(system)).endswith(f"opened in {kind}")
        assert created(kind, fake) == 1


@each
async def test_what_was_refused_is_created_by_a_later_run(kind: str) -> None:
    async with both(kind) as (system, fake):
        fake.faults.append(Fault("POST", Answer(403, {})))
        with pytest.raises(Forbidden, match=f"tickets.{kind}"):
            await write(system)
        assert (await write(system)).endswith(f"opened in {kind}")
        assert created(kind, fake) == 1


@each
async def test_two_runs_at_once_make_one(kind: str) -> None:
    async with both(kind) as (system, fake):
        await asyncio.gather(*(write(system) for _ in range(4)), return_exceptions=True)
        assert created(kind, fake) == 1
        assert await write(system) == ""
        assert await system.find(CASE) is not None
