"""One ticket a case in every system, counted where it arrives: after lost answers, refusals, kills and races."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from actions.open_ticket import open_ticket
from actions.open_unanswered import open_unanswered
from respond.models.evidence import Account
from respond.models.intake import Unanswered
from respond.models.report import ActionStatus, Change, Outcome, Verdict, VerdictKind
from respond.store.cases import Store
from respond.store.database import cases
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.forked_command import forks as _forks
from tests.helpers.forked_command import kill_at
from tests.helpers.incident_actions import act
from tests.helpers.patience import patiently
from tests.ticketing.outside import SYSTEMS, Outside, outside

forks = _forks
Place = Callable[..., Outside]
ACCOUNT = Account(id="7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11", upn=VICTIM, display_name="Target User")
VERDICT = Verdict(kind=VerdictKind.MALICIOUS, score=97, headline="redeemed at https://evil.example by <b>@everyone</b>")
LATE = ("servicenow", "jira")
"""What they have been sent may come to light minutes later."""
IDS = {"servicenow": "INC0000001", "jira": "SEC-1", "github": "#1", "sentinel": "1", "mail": "DC-TEST"}


def by_day(spoken_for: str) -> list[Any]:
    """Every system; all but one only in `make soak`. Their clients have their own tests."""
    return [pytest.param(name, marks=() if name == spoken_for else pytest.mark.soak) for name in SYSTEMS]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Start a ticket system and lead the command line to it."""
    with ExitStack() as stack:

        def start(name: str, *troubles: Any, **how: Any) -> Outside:
            there = stack.enter_context(outside(name, tmp_path, *troubles, **how))
            for key, value in there.env.items():
                monkeypatch.setenv(key, value)
            return there

        yield start


def run(outcome: Outcome = Outcome.CONTAINED_VERIFIED, *, dry_run: bool = False) -> Change:
    """The action by itself, as one more run about the case would call it."""
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as store, store.database.begin() as db:
        held = {"id": "DC-TEST", "tenant": "lab", "user_id": ACCOUNT.id, "opened": "", "busy_run": ""}
        db.execute(sqlite.insert(cases).values(held).on_conflict_do_nothing())
    told: dict[str, Any] = {"account": ACCOUNT, "verdict": VERDICT, "changes": (), "timeline": (), "outcome": outcome}
    return act(open_ticket, dry_run=dry_run, **told)


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_is_created_once_rewritten_when_the_case_turns_and_left_alone_otherwise(name: str, place: Place) -> None:
    there = place(name)
    first, second = run(), run()
    assert (first.status, second.status) == (ActionStatus.DONE, ActionStatus.UNNEEDED)
    assert first.summary == f"LAB-1 opened; {IDS[name]} opened in {name}"
    assert (there.created(), there.updates()) == (1, 0)
    assert run(Outcome.NOT_CONTAINED).summary == f"LAB-1 rewritten; {IDS[name]} rewritten in {name}"
    assert run(Outcome.NOT_CONTAINED).status is ActionStatus.UNNEEDED
    assert (there.created(), there.updates()) == (2 if name == "mail" else 1, 1)


@pytest.mark.parametrize(
    ("name", "trouble"),
    [*((name, "drop_after") for name in SYSTEMS), ("servicenow", "500 after"), ("jira", "500 after")],
)
def test_a_lost_answer_makes_no_second_ticket(name: str, trouble: str, place: Place) -> None:
    there = place(name, trouble)
    first = run()
    assert first.status is (ActionStatus.FAILED if name == "mail" else ActionStatus.DONE)
    assert ("it is not sent again" in first.summary) == (name == "mail")
    assert run().status is ActionStatus.UNNEEDED
    assert there.created() == 1


@pytest.mark.parametrize("name", by_day("jira"))
def test_what_may_have_arrived_and_did_not_is_sent_again_only_where_that_is_certain(name: str, place: Place) -> None:
    there = place(name, "drop_before")
    first = run()
    if name == "mail":
        assert "it is not sent again" in first.summary
    elif name in LATE:
        assert "may have been created; it is looked for again" in first.summary
        assert run().status is ActionStatus.FAILED
    assert (first.status is ActionStatus.FAILED) == (name in (*LATE, "mail"))
    assert there.created() == (0 if name in (*LATE, "mail") else 1)


@pytest.mark.parametrize("name", by_day("jira"))
def test_throttled_it_waits_as_told(name: str, place: Place) -> None:
    there = place(name, "429")
    assert run().status is ActionStatus.DONE
    assert there.created() == 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_refused_is_said_with_what_to_do_and_done_by_the_next_run(name: str, place: Place) -> None:
    there = place(name, "403")
    refused = run()
    assert refused.status is ActionStatus.FAILED
    assert refused.summary.startswith(f"LAB-1 opened; {name}: ")
    hints = {"mail": "Mail.Send", "sentinel": "Microsoft Sentinel Responder", "servicenow": "create", "jira": "403"}
    assert hints.get(name, "token") in refused.summary
    assert run().summary == f"LAB-1 is open; {IDS[name]} opened in {name}"
    assert there.created() == 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_in_a_dry_run_it_is_planned_and_nothing_arrives(name: str, place: Place) -> None:
    there = place(name)
    planned = run(dry_run=True)
    assert (planned.status, planned.summary) == (ActionStatus.PLANNED, f"open a ticket, here and in {name}")
    assert list(there.requests()) == []


@pytest.mark.parametrize("name", by_day("servicenow"))
def test_killed_between_sending_it_and_keeping_its_name_there_is_one(name: str, place: Place) -> None:
    there = place(name, "drop_after")
    kill_at("waiting:open_ticket")
    assert there.created() == 1
    finished = respond("--user", "nobody@contoso.com")
    assert f"{VICTIM}: contained-verified" in finished.err
    (report,) = respond("cases", "--json").json
    assert report["ticket"]["system"] == name
    assert there.created() == 1
    assert len(revocations(there.lab)) == 1


def unanswered(environment: dict[str, str]) -> None:
    """A case that no run holds for itself, so that two may be at it."""
    os.environ.clear()
    os.environ.update(environment)
    people = (Unanswered(label="ann", reason="nobody is called that"),)
    told = act(open_unanswered, about="an incident", people=people, sightings=())
    assert told.status in (ActionStatus.DONE, ActionStatus.UNNEEDED), told


@pytest.mark.soak
def test_two_processes_at_once_make_one(place: Place) -> None:
    there = place("servicenow")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=unanswered, args=(dict(os.environ),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(patiently(60))
    assert [process.exitcode for process in processes] == [0, 0]
    assert there.created() == 1


def test_a_system_that_is_down_costs_the_containment_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    there = place("servicenow")
    monkeypatch.setenv("RESPOND_TICKETS__SERVICENOW__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "2")
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (1, "contained-verified")
    assert answer.json["ticket"]["id"] == "LAB-1"
    assert "LAB-1 opened; servicenow: " in answer.action("open_ticket")["summary"]
    assert len(revocations(there.lab)) == 1


def test_no_secret_and_no_live_link_is_in_what_is_sent_or_said(place: Place) -> None:
    there = place("mail")
    told = run()
    (sent,) = there.requests()
    message = json.loads(sent["body"])["message"]  # type: ignore[index]  # the lab's journal
    assert "hxxps" in message["body"]["content"]
    assert "https://evil" not in json.dumps(message)
    assert "<b>" not in message["body"]["content"]
    assert message["subject"].startswith("[DC-TEST] Device code phishing: ")
    assert "evil" not in told.summary


def test_a_freeze_of_the_tenant_stops_a_ticket_that_is_kept_in_it_and_no_other(place: Place) -> None:
    there = place("mail")
    assert respond("freeze").code == 0
    held = respond("--user", VICTIM, "--json").action("open_ticket")
    assert (held["status"], there.created()) == ("failed", 0)
    assert held["summary"].startswith("LAB-1 opened; mail: ")
    assert "respond thaw ends that" in held["summary"]
    place("github")
    outside_of_it = respond("--user", VICTIM, "--json").action("open_ticket")
    assert outside_of_it["status"] == "done"
    assert "#1 opened in github" in outside_of_it["summary"]
