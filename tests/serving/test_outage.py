"""What is delivered while a service is away is answered once when it is back, and nobody is told to find out who."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from respond.models.owed import OwedKind
from respond.models.report import ActionStatus
from respond.settings import LabFault
from tests.fakes.webhooks import webhooks
from tests.helpers.command import respond
from tests.helpers.service_desk import Desk, on_lab
from tests.helpers.serving import until
from tests.helpers.switch import Switch, switch
from tests.helpers.tenant_story import Tale, account, guid
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group(name="serving-outage")

SOON = {
    "RESPOND_RETRY__MAKE_UP": '["1s", "2s"]',
    "RESPOND_RETRY__ATTEMPTS": "2",
    "RESPOND_RETRY__FIRST_WAIT": "20ms",
    "RESPOND_RETRY__REQUEST_TIMEOUT": "15s",
    "RESPOND_PACE__BREAKER_REST": "1s",
}
_PROXY = {"kind": "answer", "body": "<html>the proxy does not know this</html>"}
ILL: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "hang": {"kind": "hang"},
    "proxy": _PROXY | {"status": 404},
    "proxy for the logs": _PROXY | {"match": "POST */query", "status": 403},
}
"""Faults that last until they are taken away."""
GRAPH, LOGS, ARM = "graph", "logs", "arm"


@dataclass
class Outage:
    """A tenant with an incident for each person, and a service before it of which one part can be away."""

    there: Desk
    away: Switch

    def bodies(self, people: tuple[str, ...]) -> list[dict[str, Any]]:
        return [self.there.notice(name) for name in people]


@contextmanager
def tenant(
    folder: Path, people: tuple[str, ...], service: str, env: dict[str, str] | None = None, state: str = ""
) -> Iterator[Outage]:
    tale = Tale()
    for name in people:
        tale.user(name)
        tale.phished(name)
        tale.incident(name, account(name))
    with ExitStack() as stack:
        story = tale.write(folder / "story")
        lab = stack.enter_context(running(story, folder / "lab"))
        away = stack.enter_context(switch(lab.url))
        settings = SOON | {f"RESPOND_TENANT__{service.upper()}_ENDPOINT": away.url} | (env or {})
        there = stack.enter_context(on_lab(lab, folder, settings, state))
        yield Outage(there, away)


def contained(there: Desk, name: str) -> bool:
    return there.report(name).outcome == "contained-verified"


def settled(there: Desk, name: str) -> bool:
    """Whether nothing of a report has failed, or what had was made up for."""
    report = there.report(name)
    return all(one.status is not ActionStatus.FAILED for one in (*report.actions, *report.write_backs))


def all_answered(there: Desk, people: tuple[str, ...]) -> None:
    """Everybody contained once, with one ticket; both comments and the tags on each incident; nothing owed."""
    until(lambda: all(there.revoked(name) for name in people), 90, lambda: f"{there.service.lines[-6:]}")
    until(lambda: all(len(there.comments(name)) == 2 for name in people), 60)
    until(lambda: all("respond:malicious" in there.labels(name) for name in people), 60)
    there.rest()
    until(lambda: not there.store.owed.pending("lab"), 60, lambda: f"{there.store.owed.pending('lab')}")
    for name in people:
        # At once, or when what did not answer in time has been asked again.
        until(partial(contained, there, name), 60, partial(str, there.report(name)))
        assert there.revoked(name) == len(there.tickets_of(name)) == 1
    assert not there.tickets("could not be found out"), "nobody is told to find out who is meant"
    assert not there.tickets("could not be judged")
    assert len(there.tickets()) == len(people)


@pytest.mark.parametrize("kind", ["refused", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ILL)])
def test_deliveries_during_an_outage_of_the_directory_are_answered_when_it_is_over(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tuple(f"p{number}" for number in range(12 if kind == "refused" else 3))
    with tenant(tmp_path, people, GRAPH, {"RESPOND_RETRY__REQUEST_TIMEOUT": "3s"} if kind == "hang" else {}) as outage:
        there, bodies = outage.there, outage.bodies(people)
        if kind == "refused":
            outage.away.off()
        else:
            there.lab.request("POST", "/_lab/faults", body=[{"match": "* /v1.0/*", "times": 0} | ILL[kind]])
        answers = [there.deliver(body) for body in bodies]
        assert not any(answer["duplicate"] for answer in answers)
        until(lambda: there.store.owed.counts("lab").get(OwedKind.DELIVERY) == len(people), 60)
        assert not there.tickets(), "a ticket says what a person has to do"
        monkeypatch.setenv("RESPOND_STATE__URL", there.state)
        assert f"{len(people)} deliveries wait for a service that does not answer" in respond("cases").err
        again = there.deliver(there.notice(people[0], "Update"))
        assert again["duplicate"], "the same again is answered with the first one"
        figures = there.service.get("/metrics").text
        assert f'respond_owed{{kind="answer_delivery"}} {len(people)}.0' in figures
        if kind == "refused":
            outage.away.on()
        else:
            there.lab.request("POST", "/_lab/faults", body=[])
        all_answered(there, people)


def test_what_sentinel_did_not_take_is_written_when_it_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = ("ann", "bob")
    with tenant(tmp_path, people, ARM, {"RESPOND_TICKETS__SYSTEM": "sentinel"}) as outage:
        there, bodies = outage.there, outage.bodies(people)
        outage.away.off()
        for body in bodies:
            there.deliver(body)
        until(lambda: all(there.revoked(name) for name in people), 60)
        kinds = {OwedKind.COMMENT: 4, OwedKind.TAG: 2, OwedKind.TICKET: 2}
        until(lambda: there.store.owed.counts("lab") == kinds, 60, lambda: f"{there.store.owed.counts('lab')}")
        assert {change.status for change in there.report("ann").write_backs} <= {"failed"}
        monkeypatch.setenv("RESPOND_STATE__URL", there.state)
        case = there.report("ann").case
        owed = respond("show", case, "--json").json["owed"]
        assert {one["name"] for one in owed} == {"comment_incident", "tag_incident", "open_ticket"}
        (line,) = (line for line in respond("show", case).out.splitlines() if line.split()[:1] == ["owed"])
        assert "next try" in line
        outage.away.on()
        until(lambda: not there.store.owed.pending("lab"), 60, lambda: f"{there.store.owed.pending('lab')}")
        for name in people:
            until(partial(settled, there, name), 20)
            report = there.report(name)
            assert len(there.comments(name)) == 3, "who is looked at, what the answer is, and the ticket"
            assert there.labels(name) >= {"respond", "respond:malicious"}
            assert [change.status for change in report.write_backs] == ["done", "done"]
            assert report.ticket
            assert report.ticket.system == "sentinel"
            assert [change.status for change in report.actions if change.name == "open_ticket"] == ["done"]
            assert there.revoked(name) == len(there.tickets_of(name)) == 1


def test_a_notice_that_could_not_be_posted_is_posted_once(tmp_path: Path) -> None:
    tale = Tale()
    tale.user("ann")
    tale.phished("ann")
    tale.incident("ann", account("ann"))
    with webhooks() as chat, switch(chat.url) as away, running(tale.write(tmp_path / "story"), tmp_path / "lab") as lab:
        url = chat.settings["teams_url"].replace(chat.url, away.url)
        with on_lab(lab, tmp_path, SOON | {"RESPOND_NOTICES__TEAMS_URL": url}) as there:
            away.off()
            there.answer("ann")
            assert there.store.owed.counts("lab") == {OwedKind.NOTICE: 1}
            assert not chat.posted["teams"]
            away.on()
            until(lambda: not there.store.owed.pending("lab"), 60)
            assert len(chat.posted["teams"]) == 1
            until(partial(settled, there, "ann"), 20)
            told = next(change for change in there.report("ann").actions if change.name == "send_notice")
            assert (told.status, told.summary) == ("done", "told teams")


def a_hunt_that_is_not_answered_is_made_up_for(folder: Path, state: str = "") -> None:
    """The user is known, and cannot be judged; a second delivery about the same user waits with the first."""
    people = ("ann", "bob")
    with tenant(folder, people, LOGS, state=state) as outage:
        there, bodies = outage.there, outage.bodies(people)
        outage.away.off()
        for body in bodies:
            there.deliver(body)
        until(lambda: there.store.owed.counts("lab").get(OwedKind.DELIVERY) == 2, 60)
        more = there.notice("ann", "Update")
        more["object"]["properties"]["alerts"].append({"kind": "SecurityAlert", "properties": {"systemAlertId": "new"}})
        assert not there.deliver(more)["duplicate"]
        until(lambda: there.store.owed.counts("lab").get(OwedKind.DELIVERY) == 3, 60)
        assert not there.tickets()
        outage.away.on()
        all_answered(there, people)
        assert there.store.intake.depth() == {"answered": 3}


@pytest.mark.soak
def test_a_hunt_that_is_not_answered_is_made_up_for(tmp_path: Path) -> None:
    a_hunt_that_is_not_answered_is_made_up_for(tmp_path)


@pytest.mark.soak
def test_on_postgresql_a_hunt_that_is_not_answered_is_made_up_for(tmp_path: Path, pg_url: str) -> None:
    a_hunt_that_is_not_answered_is_made_up_for(tmp_path, pg_url)


@pytest.mark.soak
def test_of_several_people_those_who_are_found_are_answered_for_at_once(tmp_path: Path) -> None:
    tale = Tale()
    for name in ("ann", "bob"):
        tale.user(name)
        tale.phished(name)
    tale.incident("both", account("ann"), account("bob"), account("", aadUserId=guid("nobody")))
    fault = LabFault(match=f"GET /v1.0/users/{guid('bob')}", status=503, times=0)
    with (
        running(tale.write(tmp_path / "story"), tmp_path / "lab", faults=(fault,)) as lab,
        on_lab(lab, tmp_path, SOON) as there,
    ):
        there.deliver(there.notice("both"))
        until(lambda: there.revoked("ann") == 1, 60)
        until(lambda: len(there.tickets(guid("nobody"))) == 1)
        assert there.store.owed.counts("lab") == {OwedKind.DELIVERY: 1}
        assert not there.tickets("503"), "who will be looked up again is nobody's task"
        lab.request("POST", "/_lab/faults", body=[])
        until(lambda: there.revoked("bob") == 1, 60)
        there.rest()
        assert not there.store.owed.pending("lab")
        assert there.revoked("ann") == len(there.tickets_of("ann")) == len(there.tickets_of("bob")) == 1
        (ticket,) = there.tickets(guid("nobody"))
        assert "no account of this tenant is called that" in ticket.body


@pytest.mark.soak
def test_evidence_that_was_not_answered_has_the_case_looked_at_again(tmp_path: Path) -> None:
    tale = Tale()
    tale.user("ann")
    tale.phished("ann")
    tale.incident("ann", account("ann"))
    fault = LabFault(match="POST */query", contains="AuditLogs", status=503, times=0)
    with (
        running(tale.write(tmp_path / "story"), tmp_path / "lab", faults=(fault,)) as lab,
        on_lab(lab, tmp_path, SOON) as there,
    ):
        there.answer("ann")
        first = there.report("ann")
        assert first.outcome == "contained-unverified"
        assert [gap.source for gap in first.gaps if gap.passes]
        lab.request("POST", "/_lab/faults", body=[])
        until(partial(contained, there, "ann"), 60, lambda: f"{there.report('ann')}")
        assert there.revoked("ann") == 1
