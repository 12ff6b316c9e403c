"""The contract of every action that writes. An action that is not in the table fails the first test."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy.dialects import sqlite

import actions
from respond.models.evidence import Account
from respond.models.incident import IncidentStatus, Severity
from respond.models.intake import Unanswered
from respond.models.intents import Intent
from respond.models.ladder import May, Rung, Step, Word
from respond.models.report import ActionStatus, Change, Outcome, Verdict, VerdictKind
from respond.models.tickets import Severity as TicketSeverity
from respond.settings import LabFault
from respond.store.cases import Store
from respond.store.database import cases
from tests.fakes.webhooks import webhooks
from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import (
    APPLICATION,
    ASSIGNMENT,
    CLIENT,
    DEVICE,
    GRANT,
    METHOD,
    PHONE,
    PRINCIPAL,
    RULE,
    SECRET,
    USER_ID,
    device,
    dig_deeper,
    write_story,
)
from tests.helpers.incident_actions import ENTRY, INCIDENT, act
from tests.lab.running_lab import RunningLab

DISABLED = "de000000-0000-4000-8000-0000000000dd"


@dataclass(frozen=True)
class Ran:
    """What came of a write action.

    Attributes:
        change: its `Change`, as JSON.
        waited: seconds that it took at most.
    """

    change: dict[str, Any]
    waited: float


def by_itself(name: str, given: dict[str, Any], *, dry_run: bool = False) -> Ran:
    """Outside a run, in a process set up as for one. What a run makes of it: tests/playbooks."""
    started = time.monotonic()
    change = act(declared()[name], dry_run=dry_run, **given)
    return Ran(change.model_dump(mode="json"), time.monotonic() - started)


@dataclass(frozen=True)
class Subject:
    """How the lab sees a write action.

    Attributes:
        request: `METHOD */path` of its write; empty when it writes to the local store only.
        permission: what it needs beyond reading.
        way: how it is run.
        given: its arguments, where it is run by itself.
        provable: whether what was written can be read back.
    """

    request: str = ""
    permission: str = ""
    way: Callable[..., Ran] = by_itself
    given: dict[str, Any] = field(default_factory=dict)
    provable: bool = True

    def run(self, name: str, *, dry_run: bool = False) -> Ran:
        return self.way(name, self.given, dry_run=dry_run)


WORD = Word(may=May.AUTO)
ACCOUNT = Account(id=USER_ID, upn=VICTIM, display_name="Target User")
TOLD: dict[str, Any] = {
    "account": ACCOUNT,
    "verdict": Verdict(kind=VerdictKind.MALICIOUS, score=97, headline="redeemed elsewhere"),
}


def climbing(rung: Rung, request: str, permission: str, **step: Any) -> Subject:
    """A rung of the ladder, about what the attacker has dug in with."""
    about = {"object": USER_ID, "label": VICTIM, "why": "the attacker did it"} | step
    given = {"account": ACCOUNT, "step": Step(rung=rung, **about), "word": WORD}
    return Subject(request, permission, given=given, provable=rung is not Rung.CONFIRM_SIGN_INS)


def undoing(_name: str, _given: dict[str, Any], *, dry_run: bool = False) -> Ran:
    """The undo of a device that the case had disabled."""
    step = Step(rung=Rung.DISABLE_DEVICE, object=DISABLED, label="LAPTOP", why="registered after the approval")
    intent = Intent(
        tenant="lab",
        case="DC-TEST",
        user_id=USER_ID,
        name=step.rung.value,
        object=DISABLED,
        step=json.dumps({"run": "r", "step": step.model_dump(mode="json")}),
        before='{"accountEnabled":true}',
        at=datetime.now(UTC),
    )
    return by_itself("take_back", {"account": ACCOUNT, "intent": intent, "word": WORD}, dry_run=dry_run)


def ticketing(name: str, given: dict[str, Any], *, dry_run: bool = False) -> Ran:
    """The ticket of a case that the store knows."""
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as store, store.database.begin() as db:
        held = {"id": "DC-TEST", "tenant": "lab", "user_id": USER_ID, "opened": "", "busy_run": ""}
        db.execute(sqlite.insert(cases).values(held).on_conflict_do_nothing())
    return by_itself(name, given, dry_run=dry_run)


def mirroring(name: str, given: dict[str, Any], *, dry_run: bool = False) -> Ran:
    """The ticket of a case that is not in Sentinel yet."""
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as store:
        with store.database.begin() as db:
            held = {"id": "DC-TEST", "tenant": "lab", "user_id": USER_ID, "opened": "", "busy_run": ""}
            db.execute(sqlite.insert(cases).values(held).on_conflict_do_nothing())
        store.open_ticket(case="DC-TEST", outcome=Outcome.CONTAINED_VERIFIED, title="title", body="body")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_TICKETS__SYSTEM", "sentinel")
        return by_itself(name, given, dry_run=dry_run)


def telling(name: str, given: dict[str, Any], *, dry_run: bool = False) -> Ran:
    """A notice to a channel; what arrives there is counted."""
    with webhooks() as there, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_NOTICES__TEAMS_URL", there.settings["teams_url"])
        ran = by_itself(name, given, dry_run=dry_run)
        assert len(there.posted["teams"]) == (ran.change["status"] == "done")
    return ran


SUBJECTS = {
    "revoke_sessions": climbing(
        Rung.REVOKE_SESSIONS,
        "POST */revokeSignInSessions",
        "User.RevokeSessions.All",
        after=datetime.now(UTC) - timedelta(minutes=10),
    ),
    "disable_device": climbing(
        Rung.DISABLE_DEVICE, f"PATCH */devices/{DEVICE}", "Device.ReadWrite.All", object=DEVICE, label="DESKTOP-EVIL"
    ),
    "remove_method": climbing(
        Rung.REMOVE_METHOD,
        f"DELETE */microsoftAuthenticatorMethods/{METHOD}",
        "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All",
        object=METHOD,
        label="Pixel 6",
        kind="microsoftAuthenticatorAuthenticationMethod",
    ),
    "remove_grant": climbing(
        Rung.REMOVE_GRANT,
        f"DELETE */oauth2PermissionGrants/{GRANT}",
        "DelegatedPermissionGrant.ReadWrite.All",
        object=GRANT,
        label=CLIENT,
    ),
    "disable_rule": climbing(
        Rung.DISABLE_RULE, "PATCH */messageRules/*", "MailboxSettings.ReadWrite", object=RULE, label=".."
    ),
    "confirm_user": climbing(
        Rung.CONFIRM_USER, "POST */riskyUsers/confirmCompromised", "IdentityRiskyUser.ReadWrite.All"
    ),
    "confirm_sign_ins": climbing(
        Rung.CONFIRM_SIGN_INS,
        "POST */signIns/confirmCompromised",
        "IdentityRiskEvent.ReadWrite.All",
        ids=("e0000000-0000-4000-8000-000000000001",),
    ),
    "disable_account": climbing(Rung.DISABLE_ACCOUNT, f"PATCH */users/{USER_ID}", "User.EnableDisableAccount.All"),
    "delete_device": climbing(
        Rung.DELETE_DEVICE, f"DELETE */devices/{PHONE}", "Device.ReadWrite.All", object=PHONE, label="Pixel 6"
    ),
    "disable_application": climbing(
        Rung.DISABLE_APPLICATION,
        f"PATCH */servicePrincipals/{PRINCIPAL}",
        "Application.ReadWrite.All",
        object=PRINCIPAL,
        label="Contoso Archive",
    ),
    "remove_secret": climbing(
        Rung.REMOVE_SECRET,
        f"POST */applications/{APPLICATION}/removePassword",
        "Application.ReadWrite.All",
        object=SECRET,
        label="Contoso Backup: night",
        kind=f"applications/{APPLICATION}",
    ),
    "remove_role": climbing(
        Rung.REMOVE_ROLE,
        f"DELETE */roleAssignments/{ASSIGNMENT}",
        "RoleManagement.ReadWrite.Directory",
        object=ASSIGNMENT,
        label="Security Administrator",
    ),
    "take_back": Subject(f"PATCH */devices/{DISABLED}", "Device.ReadWrite.All", undoing),
    "open_ticket": Subject(
        way=ticketing, given=TOLD | {"changes": (), "timeline": (), "outcome": Outcome.CONTAINED_VERIFIED}
    ),
    "open_limit_ticket": Subject(
        given={
            "account": ACCOUNT,
            "changes": (
                Change(
                    name="revoke_sessions",
                    status=ActionStatus.AWAITING_APPROVAL,
                    target=VICTIM,
                    summary="3 users were contained within the last hour, which is the limit",
                    held="limit",
                ),
            ),
        },
    ),
    "open_unanswered": Subject(
        given={
            "about": INCIDENT.lower(),
            "people": (Unanswered(label="ann", reason="could be more than one account", candidates=("a", "b")),),
            "sightings": (),
        },
    ),
    "mirror_ticket": Subject(way=mirroring, given={"severity": TicketSeverity.HIGH, "tags": ("device-code-phishing",)}),
    "send_notice": Subject(way=telling, given=TOLD | {"changes": (), "outcome": Outcome.CONTAINED_VERIFIED}),
    "comment_incident": Subject(
        "PUT */incidents/*/comments/*",
        "Microsoft Sentinel Responder",
        given={"incident": INCIDENT, "stage": "verdict", "text": "malicious 97\nhttps://evil.example/x <b>*now*</b>"},
    ),
    "tag_incident": Subject(
        "PUT */incidents/????????-????-????-????-????????????",
        "Microsoft Sentinel Responder",
        given={
            "incident": INCIDENT,
            "labels": ("respond:malicious",),
            "severity": Severity.HIGH,
            "status": IncidentStatus.ACTIVE,
        },
    ),
}
SPEAKING = {"disable_device", "confirm_sign_ins", "comment_incident"}
"""One that is read back, one that cannot be, and one in another service: they speak for the others' way of sending."""


def remote(spoken_for: Collection[str] = ()) -> list[Any]:
    """Those that write to a service; those that others speak for are soak."""
    return [
        pytest.param(name, subject, id=name, marks=pytest.mark.soak if name in spoken_for else ())
        for name, subject in SUBJECTS.items()
        if subject.request
    ]


def declared() -> dict[str, Any]:
    found = {}
    for module in pkgutil.iter_modules(actions.__path__):
        action = getattr(importlib.import_module(f"actions.{module.name}"), module.name)
        found[module.name] = action
    return found


def test_one_file_is_one_action_of_that_name() -> None:
    assert all(callable(action) and hasattr(action, "permissions") for action in declared().values())


def test_every_write_action_is_under_contract() -> None:
    assert {name for name, action in declared().items() if action.writes} == set(SUBJECTS)


@pytest.fixture
def tenant(lab: Callable[..., RunningLab], tmp_path: Path) -> Callable[..., RunningLab]:
    """Start the seed's lab, in which the attacker has dug in, and Sentinel has made an incident of the attack."""

    def dug_in(directory: dict[str, Any]) -> None:
        directory["devices"].append(device(DISABLED, name="LAPTOP") | {"accountEnabled": False})
        dig_deeper(directory)

    place = write_story(tmp_path, edit=dug_in)
    (place / "incidents.json").write_text(json.dumps([ENTRY]))
    return lambda **settings: lab(place, **settings)


Tenant = Callable[..., RunningLab]


@pytest.mark.parametrize("name", SUBJECTS)
def test_repeated_it_writes_once(name: str, tenant: Tenant) -> None:
    there, subject = tenant(), SUBJECTS[name]
    first, second = subject.run(name), subject.run(name)
    assert (first.change["status"], second.change["status"]) == ("done", "unneeded")
    assert len(written(there, subject)) == (1 if subject.request else 0)


@pytest.mark.parametrize("name", SUBJECTS)
def test_in_a_dry_run_it_plans_and_writes_nothing(name: str, tenant: Tenant) -> None:
    there, subject = tenant(), SUBJECTS[name]
    ran = subject.run(name, dry_run=True)
    assert ran.change["status"] == "planned"
    assert bool(ran.change["request"]) == bool(subject.request)
    if subject.request:
        request = ran.change["request"]
        assert matches(subject, request["method"], urlsplit(request["url"]).path)
    assert there.get("/_lab/writes") == []


@pytest.mark.parametrize(("name", "subject"), remote(SUBJECTS.keys() - SPEAKING))
def test_throttled_it_waits_as_told_and_succeeds(name: str, subject: Subject, tenant: Tenant) -> None:
    there = tenant(faults=(LabFault(match=subject.request, status=429, retry_after="2"),))
    ran = subject.run(name)
    assert ran.change["status"] == "done"
    assert ran.waited >= 2
    assert len(written(there, subject)) == 1


@pytest.mark.parametrize(("name", "subject"), remote())
def test_forbidden_it_names_the_permission(name: str, subject: Subject, tenant: Tenant) -> None:
    there = tenant(withheld_permissions=(subject.permission,))
    ran = subject.run(name)
    assert ran.change["status"] == "failed"
    assert subject.permission in ran.change["summary"]
    assert written(there, subject) == []


@pytest.mark.soak
def test_a_response_whose_containment_is_forbidden_fails_with_a_ticket(tenant: Tenant) -> None:
    tenant(withheld_permissions=("User.RevokeSessions.All",))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert answer.action("open_ticket")["status"] == "done"


@pytest.mark.parametrize(("name", "subject"), remote())
def test_a_lost_answer_is_looked_into_and_not_repeated(name: str, subject: Subject, tenant: Tenant) -> None:
    there = tenant(faults=(LabFault(match=subject.request, kind="drop_after"),))
    ran = subject.run(name)
    assert ran.change["status"] in ("done", "unneeded")
    assert ran.change["verified"] is (True if subject.provable else None)
    assert len(written(there, subject)) == 1


@pytest.mark.parametrize(("name", "subject"), remote(SUBJECTS.keys() - SPEAKING))
def test_what_may_not_have_arrived_is_sent_again_only_where_it_can_be_read_back(
    name: str, subject: Subject, tenant: Tenant
) -> None:
    there = tenant(faults=(LabFault(match=subject.request, kind="drop_before"),))
    ran = subject.run(name)
    assert ran.change["status"] in ("done", "unneeded")
    assert ran.change["verified"] is (True if subject.provable else None)
    # Where nothing can be read back, nothing is claimed either, and nothing is sent twice.
    assert len(written(there, subject)) == (1 if subject.provable else 0)


PROVABLE = {name for name, subject in SUBJECTS.items() if "incidents" not in subject.request and subject.provable}
DEVICES = {"disable_device", "delete_device"}
"""The one whose refusal leads to the other, and the one whose object Graph no longer knows when it is done."""


@pytest.mark.parametrize("what", ["the write", "what is read"])
@pytest.mark.parametrize(("name", "subject"), [one for one in remote(PROVABLE - DEVICES) if one.id in PROVABLE])
def test_a_proxys_404_is_neither_a_refusal_nor_gone(what: str, name: str, subject: Subject, tenant: Tenant) -> None:
    match = subject.request if what == "the write" else "GET /v1.0/*"
    there = tenant(faults=(LabFault(match=match, kind="answer", status=404, body="<html>none</html>", times=0),))
    ran = subject.run(name)
    assert (ran.change["status"], ran.change["held"], ran.change["verified"]) == ("failed", "", None)
    assert written(there, subject) == []


def written(there: RunningLab, subject: Subject) -> list[dict[str, Any]]:
    """Writes that took effect, whether or not the answer arrived."""
    writes = there.get("/_lab/writes")
    return [write for write in writes if matches(subject, write["method"], write["path"]) and write["status"] < 300]


def matches(subject: Subject, method: str, path: str) -> bool:
    return fnmatch(f"{method} {path}", subject.request)
