"""Whom an incident is about: named rightly, wrongly, late, twice or not at all. Nobody is contained on a guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.models.report import VerdictKind
from respond.settings import LAB_TENANT_ID, LAB_WORKSPACE_ID, LabFault
from respond.store.cases import Store
from tests.helpers.service_desk import Desk, arm_id, beside, desk, notice, state_of
from tests.helpers.serving import serving, until
from tests.helpers.tenant_story import Tale, account, guid, upn
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group(name="serving-entities")

_PEOPLE = ("lea", "max", "amy", "ben", "oda", "pia", "zed", "mia", "ute", "udo", "sam", "sue", "tom", "una")
_HOURS_AGO = (600.0, 590.0)
"""Minutes before the present in which, and around which, nobody signed in."""
_WAIT = {"RESPOND_WEBHOOK__ENTITY_WAIT": "15s", "RESPOND_RETRY__ATTEMPTS": "2", "RESPOND_SERVE__BEAT": "300ms"}


def tale() -> Tale:
    """A person for each test, most of them phished."""
    told = Tale()
    for name in _PEOPLE:
        alias = {"proxyAddresses": ["SMTP:max.box@contoso.com"]} if name == "max" else {}
        told.user(name, **alias)
        told.phished(name)
    for name in ("noa", "oli"):
        told.user(name)
    told.user("hugo")
    told.phished("hugo", ago=timedelta(minutes=900))
    told.incident("late", account("lea"), after=8, window=_HOURS_AGO)
    told.incident("hunted", window=(905, 895))
    told.incident("empty", window=_HOURS_AGO, incidentNumber=99)
    told.incident("mailbox", {"kind": "Mailbox", "properties": {"mailboxPrimaryAddress": "max.box@contoso.com"}})
    amy_or_ben = account("", aadUserId=guid("amy"), additionalData={"UserPrincipalName": upn("ben")})
    told.incident("ambiguous", amy_or_ben, account("oda"))
    told.incident("failing", account("zed"), account("pia"))
    told.incident("merged", account("noa"), account("mia"), account("oli"))
    composed = account("", accountName="Ute Umlaut", upnSuffix="ad.contoso.example")
    composed["properties"]["additionalData"] = {"UserPrincipalName": upn("ute")}
    told.incident("composed", composed)
    told.incident("stranger", account("", aadUserId=guid("gone"), accountName="gone", upnSuffix="contoso.com"))
    told.incident("by id", account("una"))
    return told


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One tenant and one service; what takes long has been delivered already."""
    folder = tmp_path_factory.mktemp("entities")
    faults = (LabFault(match=f"GET */users/{guid('zed')}*", status=503, times=0),)
    with desk(folder, tale().write(folder / "story"), _WAIT, faults=faults) as found:
        for name in ("empty", "late"):
            keys[name] = found.deliver(found.notice(name))["delivery"]
        yield found
        check_one_case_each(found)


def check_one_case_each(there: Desk) -> None:
    """However often and in however many ways the tests have named a person, they have one case."""
    there.rest()
    cases: dict[str, set[str]] = {}
    for report in there.reports():
        cases.setdefault(report.user.id, set()).add(report.case)
    assert all(len(found) == 1 for user, found in cases.items() if user), cases


keys: dict[str, str] = {}
"""Deliveries of the fixture by incident."""


def told(there: Desk, incident: str) -> str:
    """Everything that an incident was told."""
    return "\n".join(there.comments(incident).values())


def test_nobody_named_is_answered_at_once_by_hunting_the_time_of_the_alert_and_no_other(there: Desk) -> None:
    key = there.deliver(there.notice("hunted"))["delivery"]
    until(lambda: len(there.comments("hunted")) == 2)
    assert there.delivered(key)[1] == 0, "it was not put off"
    assert there.revoked("hugo") == 1
    assert "looking at 1 account" in told(there, "hunted")


@pytest.mark.soak
def test_a_mailbox_leads_to_its_owner(there: Desk) -> None:
    there.answer("mailbox")
    assert there.revoked("max") == 1


@pytest.mark.soak
def test_a_name_that_is_no_user_principal_name_is_not_taken_for_one(there: Desk) -> None:
    there.answer("composed")
    assert there.revoked("ute") == 1


@pytest.mark.soak
def test_an_entity_that_fits_two_accounts_contains_neither_and_keeps_nobody_else_waiting(there: Desk) -> None:
    there.answer("ambiguous")
    assert there.revoked("oda") == 1
    assert there.runs("amy") == there.runs("ben") == there.revoked("amy") == there.revoked("ben") == 0
    (ticket,) = there.tickets("could be more than one account")
    for name in ("amy", "ben"):
        assert f"could be {upn(name)} ({guid(name)})" in ticket.body
    assert "could be more than one account" in told(there, "ambiguous")


@pytest.mark.soak
def test_an_account_that_graph_does_not_answer_for_hides_no_other(there: Desk) -> None:
    there.answer("failing")
    assert there.revoked("pia") == 1
    (ticket,) = there.tickets(guid("zed"))
    assert "503" in ticket.body
    assert there.revoked("zed") == 0


def test_an_account_that_nobody_knows_is_handed_to_a_person(there: Desk) -> None:
    there.answer("stranger", comments=1)
    (ticket,) = there.tickets("gone@contoso.com")
    assert "no account of this tenant is called that" in ticket.body


def test_accounts_that_were_merged_in_have_their_own_verdict_and_stay_signed_in(there: Desk) -> None:
    there.answer("merged", comments=4)
    assert there.report("mia").verdict is VerdictKind.MALICIOUS
    for name in ("noa", "oli"):
        assert there.report(name).verdict is VerdictKind.NO_ACTIVITY
        assert there.revoked(name) == 0
    cases = {there.report(name).case for name in ("mia", "noa", "oli")}
    assert len(cases) == 3
    assert all(case in told(there, "merged") for case in cases)


def test_an_alert_without_an_incident_is_answered(there: Desk) -> None:
    entity = {"Type": "account", "Name": "sam", "UPNSuffix": "contoso.com", "AadTenantId": LAB_TENANT_ID}
    there.deliver({"SystemAlertId": guid("alert"), "WorkspaceId": LAB_WORKSPACE_ID, "Entities": [entity]})
    until(lambda: there.runs("sam") == 1)
    there.rest()
    assert there.revoked("sam") == 1


def test_an_alert_that_names_nobody_is_hunted_for_and_then_handed_to_a_person(there: Desk) -> None:
    at = {"StartTimeUtc": "2001-01-15T09:20:00Z", "EndTimeUtc": "2001-01-15T09:30:00Z"}
    there.deliver({"SystemAlertId": guid("old"), "AlertDisplayName": "An old alert", **at})
    until(lambda: bool(there.tickets("An old alert")))


@pytest.mark.soak
def test_an_entity_that_somebody_points_at_is_answered_each_time(there: Desk) -> None:
    entity = {"properties": {"Name": "sue", "upnSuffix": "contoso.com", "aadUserId": guid("sue")}}
    body: dict[str, Any] = {"IncidentArmID": None, "Entity": entity}
    first = there.deliver(body)
    until(lambda: there.runs("sue") == 1)
    second = there.deliver(body | {"pressed": "again"})
    assert not first["duplicate"]
    assert not second["duplicate"]
    until(lambda: there.runs("sue") == 2)
    there.rest()
    assert there.revoked("sue") == 1
    assert there.report("sue").repeat


def test_an_incident_that_is_only_pointed_at_is_read_at_once(there: Desk) -> None:
    key = there.deliver({"IncidentArmID": arm_id("by id"), "Entity": None})["delivery"]
    until(lambda: len(there.comments("by id")) == 2)
    assert there.delivered(key)[1] == 0
    assert there.revoked("una") == 1
    assert "looking at 1 account" in told(there, "by id"), "and nobody else who signed in at that time"


@pytest.mark.soak
def test_one_person_named_in_five_ways_is_looked_at_once(there: Desk) -> None:
    names = (
        {"aadUserId": guid("tom")},
        {"aadUserId": guid("tom").upper(), "aadTenantId": LAB_TENANT_ID},
        {"accountName": "tom", "upnSuffix": "contoso.com"},
        {"accountName": "TOM@contoso.com"},
        {"additionalData": {"UserPrincipalName": upn("tom")}},
    )
    body = there.notice("by id")
    body["object"]["id"] = arm_id("five ways")
    body["object"]["properties"]["relatedEntities"] = [account("", **name) for name in names]
    there.deliver(body)
    until(lambda: there.runs("tom") == 1)
    there.rest()
    assert there.runs("tom") == there.revoked("tom") == 1
    assert len(there.tickets_of("tom")) == 1


@pytest.mark.soak
def test_entities_that_are_listed_late_are_waited_for(there: Desk) -> None:
    until(lambda: len(there.comments("late")) == 2)
    assert there.delivered(keys["late"])[1] > 0
    assert there.revoked("lea") == 1
    assert upn("lea") in told(there, "late")
    assert not there.tickets(arm_id("late").lower())


def test_an_incident_that_never_names_anybody_is_handed_to_a_person(there: Desk) -> None:
    until(lambda: bool(there.tickets("incident 99")))
    there.rest()
    (ticket,) = there.tickets("incident 99")
    assert "no harmful device code sign-in was found in its time" in ticket.body
    state, number = there.delivered(keys["empty"])
    assert state == "answered"
    assert number > 0
    assert "respond: nobody" in told(there, "empty")


@pytest.mark.soak
def test_waiting_for_names_survives_the_death_of_the_process(tmp_path: Path) -> None:
    state = state_of(tmp_path)
    with running(tale().write(tmp_path / "story"), tmp_path / "lab") as tenant:
        env = beside(tenant, state, **_WAIT)
        with serving(**env) as first, closing(Store(state)) as store:
            body = notice(tenant, "late")
            assert not body["object"]["properties"]["relatedEntities"]
            first.post(body)
            until(lambda: store.intake.depth().get("waiting") == 1)
            first.kill()
            with serving(**env) as second:
                there = Desk(tenant, second, store, state)
                until(lambda: len(there.comments("late")) == 2)
                there.rest()
                assert there.revoked("lea") == 1
                assert store.intake.depth() == {"answered": 1}
