"""What an incident in Sentinel is told: once a stage, never in a loop, and never less than others have said."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.settings import LabFault
from tests.helpers.incident_actions import VERSION, seed_with_incident
from tests.helpers.patience import patiently
from tests.helpers.service_desk import Desk, arm_id, desk, notice
from tests.helpers.serving import until
from tests.helpers.tenant_story import Tale, account, guid, now_of, upn
from tests.lab.running_lab import running

pytestmark = pytest.mark.xdist_group(name="serving-answer-back")

_PEOPLE = ("ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "jon")
_REVOKE = "POST */users/{}/revokeSignInSessions"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One tenant and one service for all tests; each has a person and an incident of its own."""
    folder = tmp_path_factory.mktemp("answer-back")
    tale = Tale()
    for name in _PEOPLE:
        tale.user(name)
        tale.phished(name)
        tale.incident(name, account(name), labels=[{"labelName": "pilot", "labelType": "User"}])
    tale.user("kim")
    tale.incident("kim", account("kim"), severity="Low")
    tale.incident("dan, severe", account("dan"), severity="High", status="Active")
    tale.incident("ida, closed", account("ida"), status="Closed", classification="Undetermined")
    guest = {"userType": "Guest", "userPrincipalName": "leo_fabrikam.com#EXT#@contoso.com"}
    tale.user("leo", **guest)
    tale.phished("leo")
    tale.incident("leo", account("leo"))
    faults = (
        LabFault(match=f"PUT */incidents/{guid('incident eve')}", status=409, times=2),
        LabFault(match=f"PUT */incidents/{guid('incident gus')}/comments/*", kind="drop_after"),
        LabFault(match=_REVOKE.format(guid("hal")), status=403, times=0),
    )
    with desk(folder, tale.write(folder / "story"), faults=faults, arm_latency=timedelta(milliseconds=20)) as found:
        yield found


def barrier(there: Desk) -> None:
    """Something that is delivered after everything else has been answered: so has everything else, or it never will."""
    there.deliver({"Entity": {"kind": "Account", "properties": {"aadUserId": guid("kim")}}, "IncidentArmID": None})
    there.rest()


def test_an_incident_has_one_comment_a_stage_however_often_it_is_delivered(there: Desk) -> None:
    body = there.notice("ann")
    first = there.deliver(body)
    again = [there.deliver(body), there.deliver(there.notice("ann", "Update")), there.deliver(there.notice("ann"))]
    assert not first["duplicate"]
    assert all(answer["duplicate"] for answer in again)
    there.wait("ann", comments=2)
    before = there.comments("ann")
    more = there.deliver(body), there.deliver(there.notice("ann", "Update"))
    assert all(answer["duplicate"] and answer["cases"] == [there.report("ann").case] for answer in more)
    barrier(there)
    assert there.comments("ann") == before
    assert len(before) == 2
    assert there.runs("ann") == there.revoked("ann") == 1


def test_the_echo_of_our_own_comments_and_tags_starts_nothing(there: Desk) -> None:
    there.answer("bob")
    before = there.notice("bob")
    assert before["object"]["properties"]["additionalData"]["commentsCount"] == 2
    written = len(there.writes(guid("incident bob")))
    assert there.deliver(there.notice("bob", "Update"))["duplicate"]
    barrier(there)
    assert there.runs("bob") == 1
    assert len(there.writes(guid("incident bob"))) == written
    assert there.notice("bob")["object"] == before["object"]


def test_a_new_alert_is_looked_at_and_says_nothing_twice(there: Desk) -> None:
    there.answer("cyd")
    before, written = there.comments("cyd"), len(there.writes(guid("incident cyd")))
    body = there.notice("cyd", "Update")
    body["object"]["properties"]["alerts"].append({"kind": "SecurityAlert", "properties": {"systemAlertId": "new"}})
    assert not there.deliver(body)["duplicate"]
    until(lambda: there.runs("cyd") == 2)
    there.rest()
    assert there.revoked("cyd") == 1
    assert there.report("cyd").repeat
    assert there.comments("cyd") == before, "what was done is not replaced by that nothing was left to do"
    assert len(there.writes(guid("incident cyd"))) == written


def test_the_incident_is_tagged_raised_and_activated_and_nothing_of_it_lost(there: Desk) -> None:
    before = there.properties("dan")
    there.answer("dan")
    after = there.properties("dan")
    assert there.labels("dan") == {"pilot", "respond", "respond:malicious"}
    assert (after["severity"], after["status"]) == ("High", "Active")
    same = ("title", "owner", "createdTimeUtc", "firstActivityTimeUtc", "incidentNumber")
    assert {name: before[name] for name in same} == {name: after[name] for name in same}


@pytest.mark.soak
def test_a_second_incident_about_the_same_person_has_its_own_comments_and_one_case(there: Desk) -> None:
    there.answer("dan")
    there.answer("dan, severe")
    after = there.properties("dan, severe")
    assert (after["severity"], after["status"]) == ("High", "Active")
    assert there.report("dan").case in list(there.comments("dan, severe").values())[1]
    assert there.revoked("dan") == 1
    assert len(there.tickets_of("dan")) == 1


def test_somebody_without_sign_ins_neither_raises_nor_activates_the_incident(there: Desk) -> None:
    there.answer("kim")
    after = there.properties("kim")
    assert (after["severity"], after["status"]) == ("Low", "New")
    assert there.labels("kim") == {"respond", "respond:no-activity"}
    assert not there.revoked("kim")


@pytest.mark.soak
def test_a_stale_etag_is_read_again_and_written_again(there: Desk) -> None:
    there.answer("eve")
    assert there.labels("eve") == {"pilot", "respond", "respond:malicious"}
    assert there.properties("eve")["severity"] == "High"


@pytest.mark.soak
def test_nothing_of_a_writer_at_the_same_time_is_lost(there: Desk) -> None:
    wrote: set[str] = set()
    over = threading.Event()

    def keep_tagging() -> None:
        while not over.is_set() and len(wrote) < 200:
            found = there.lab.get(f"{arm_id('fay')}?{VERSION}")
            label = f"theirs-{len(wrote)}"
            found["properties"]["labels"].append({"labelName": label, "labelType": "User"})
            said = {"etag": found["etag"], "properties": found["properties"]}
            answer = there.lab.request("PUT", f"{arm_id('fay')}?{VERSION}", body=said)
            if answer.status_code == 200:
                wrote.add(label)

    other = threading.Thread(target=keep_tagging)
    other.start()
    try:
        there.answer("fay")
        until(lambda: "respond:malicious" in there.labels("fay"))
    finally:
        over.set()
        other.join(patiently(20))
    assert wrote
    assert there.labels("fay") >= wrote | {"pilot", "respond", "respond:malicious"}


@pytest.mark.soak
def test_a_comment_whose_answer_is_lost_is_not_written_twice(there: Desk) -> None:
    there.answer("gus")
    assert len(there.comments("gus")) == len(there.writes(f"{guid('incident gus')}/comments/")) == 2


def test_who_could_not_be_contained_is_tagged_so(there: Desk) -> None:
    there.answer("hal")
    assert there.labels("hal") >= {"respond:malicious", "respond:not-contained"}
    assert there.properties("hal")["status"] == "Active"
    assert "User.RevokeSessions.All" in list(there.comments("hal").values())[1]


@pytest.mark.soak
def test_a_guest_is_not_contained_and_the_incident_says_so(there: Desk) -> None:
    there.answer("leo")
    assert there.labels("leo") >= {"respond:malicious", "respond:not-contained"}
    assert "home tenant" in list(there.comments("leo").values())[1]
    assert not there.revoked("leo")


def test_an_incident_that_somebody_has_closed_is_left_alone(there: Desk) -> None:
    before = there.notice("ida, closed")["object"]
    there.deliver(there.notice("ida, closed"))
    barrier(there)
    assert there.runs("ida") == 0
    assert there.notice("ida, closed")["object"] == before


def test_a_sentinel_that_refuses_us_keeps_nobody_from_being_contained(tmp_path: Path) -> None:
    tale = Tale()
    tale.user("ann")
    tale.phished("ann")
    tale.incident("ann", account("ann"))
    tale.incident("nameless")
    with running(tale.write(tmp_path / "story"), tmp_path / "lab") as tenant:
        body, nameless = notice(tenant, "ann"), notice(tenant, "nameless")
    withheld = ("Microsoft Sentinel Responder",)
    with desk(tmp_path, tmp_path / "story", withheld_permissions=withheld) as there:
        there.deliver(body)
        there.service.answers(1)
        there.rest()
        assert there.report("ann").outcome == "contained-verified"
        assert there.revoked("ann") == len(there.tickets_of("ann")) == 1
        until(lambda: len(there.report("ann").write_backs) == 2)
        lost = {change.name: change.status for change in there.report("ann").write_backs}
        assert lost == {"comment_incident": "failed", "tag_incident": "failed"}
        figures = there.service.get("/metrics").text
        assert 'respond_write_backs_total{action="tag_incident",result="refused"} 1.0' in figures
        there.deliver(nameless)
        until(lambda: there.runs("ann") == 2)
        there.rest()
        assert there.revoked("ann") == 1
        reasons = [line["reason"] for line in there.service.lines if line["event"] == "action-failed"]
        assert reasons
        assert all("grant the application Microsoft Sentinel Responder" in reason for reason in reasons)


@pytest.mark.soak
def test_only_an_incident_whose_people_are_all_benign_is_closed(tmp_path: Path) -> None:
    habit = scenario.find("developer-habit")
    users = json.loads((habit / "directory.json").read_text())["users"]
    people = {user["userPrincipalName"]: user["id"] for user in users}
    priya, aisha = people["priya.raman@contoso.com"], people["aisha.karim@contoso.com"]
    unknown = account("", aadUserId=guid("nobody"))
    tale = Tale(now_of(habit))
    tale.incident("benign", account("", aadUserId=priya))
    tale.incident("quiet", account("", aadUserId=priya), account("", aadUserId=aisha))
    tale.incident("unknown", account("", aadUserId=priya), unknown)
    tale.user("xen")
    tale.incident("refused", account("", aadUserId=priya), account("xen"))
    refused = LabFault(match="POST */query", contains=guid("xen"), status=403, times=0)
    story = tale.write(tmp_path / "story", beside=habit)
    with desk(tmp_path, story, {"RESPOND_SENTINEL__CLOSE_BENIGN": "true"}, faults=(refused,)) as there:
        there.answer("quiet", comments=3)
        there.answer("unknown")
        there.answer("refused", comments=3)
        there.answer("benign")
        closed = there.properties("benign")
        assert (closed["status"], closed["classification"]) == ("Closed", "BenignPositive")
        assert there.labels("benign") == {"respond", "respond:benign"}
        assert {there.properties(name)["status"] for name in ("quiet", "unknown")} == {"New"}
        assert there.properties("refused")["status"] == "Active"
        assert "respond:not-answered" in there.labels("refused")
        assert len(there.tickets(f"- {upn('xen')}: ")) == 1
        assert "nobody@" not in str(there.comments("unknown"))
        (ticket,) = there.tickets(guid("nobody"))
        assert "no account of this tenant is called that" in ticket.body


@pytest.mark.soak
def test_no_comment_has_a_link_that_can_be_followed(tmp_path: Path) -> None:
    with desk(tmp_path, seed_with_incident(tmp_path)) as there:
        (found,) = there.lab.get("/_lab/incidents")
        body: dict[str, Any] = {"IncidentArmID": found["incident"]["id"], "Entity": None}
        there.deliver(body)
        until(lambda: len(there.lab.get("/_lab/incidents")[0]["comments"]) == 2)
        there.rest()
        texts = [comment["properties"]["message"] for comment in there.lab.get("/_lab/incidents")[0]["comments"]]
        assert "hxxps" in texts[1]
        assert not re.search(r"https?:|www\.|contoso-account\.", " ".join(texts))
