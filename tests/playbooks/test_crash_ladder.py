"""Killed before, during and after each write of the ladder: the same end, and nothing is done twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.models.ladder import Rung
from respond.settings import LabFault
from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import (
    APPLICATION,
    ASSIGNMENT,
    DEVICE,
    GRANT,
    METHOD,
    PHONE,
    PRINCIPAL,
    RULE,
    USER_ID,
    deeper,
    dig_deeper,
    policy,
    write_story,
)
from tests.helpers.forked_command import forks as _forks
from tests.helpers.forked_command import kill_at
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
forks = _forks
PATHS = {
    Rung.DISABLE_DEVICE: f"PATCH */devices/{DEVICE}",
    Rung.REVOKE_SESSIONS: "POST */revokeSignInSessions",
    Rung.CONFIRM_USER: "POST */riskyUsers/confirmCompromised",
    Rung.CONFIRM_SIGN_INS: "POST */signIns/confirmCompromised",
    Rung.REMOVE_METHOD: f"DELETE */microsoftAuthenticatorMethods/{METHOD}",
    Rung.REMOVE_GRANT: f"DELETE */oauth2PermissionGrants/{GRANT}",
    Rung.DISABLE_RULE: "PATCH */messageRules/*",
    Rung.DISABLE_ACCOUNT: f"PATCH */users/{USER_ID}",
    Rung.DELETE_DEVICE: f"DELETE */devices/{PHONE}",
    Rung.DISABLE_APPLICATION: f"PATCH */servicePrincipals/{PRINCIPAL}",
    Rung.REMOVE_SECRET: f"POST */applications/{APPLICATION}/removePassword",
    Rung.REMOVE_ROLE: f"DELETE */roleAssignments/{ASSIGNMENT}",
}
EVERYTHING = dict.fromkeys((rung.value for rung in Rung), "auto")


@pytest.fixture
def tenant(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunningLab]:
    """Everything that an attacker can dig in with, and a policy that climbs every rung."""
    place = write_story(tmp_path, edit=dig_deeper, rows={"AuditLogs": deeper()})
    monkeypatch.setenv("RESPOND_CONFIG", str(policy(tmp_path, malicious=EVERYTHING, watch=[])))
    return lambda **settings: lab(place, **settings)


def end(there: RunningLab) -> None:
    """The one end that every story has."""
    answer = respond("--user", "nobody@contoso.com")
    assert f"{VICTIM}: contained-verified" in answer.err, answer.err
    directory = there.get("/_lab/directory")
    assert not next(one["accountEnabled"] for one in directory["devices"] if one["id"] == DEVICE)
    assert not next(one["accountEnabled"] for one in directory["users"] if one["id"] == USER_ID)
    assert METHOD not in [one["id"] for one in directory["authenticationMethods"][USER_ID]]
    assert directory["oauth2PermissionGrants"] == []
    assert PHONE not in [one["id"] for one in directory["devices"]]
    assert not next(one["accountEnabled"] for one in directory["servicePrincipals"] if one["id"] == PRINCIPAL)
    assert directory["applications"][0]["passwordCredentials"] == []
    assert directory["roleAssignments"] == []
    assert not next(one["isEnabled"] for one in directory["messageRules"][USER_ID] if one["id"] == RULE)
    written = Counter(write["path"] for write in there.get("/_lab/writes") if write["status"] < 300)
    assert len(written) == len(Rung)
    assert set(written.values()) == {1}
    assert respond("audit", "verify").code == 0
    (report,) = respond("cases", "--json").json
    done = [one for one in report["actions"] if one["step"]]
    assert {one["name"] for one in done} == {rung.value for rung in Rung}
    assert all(one["status"] in ("done", "unneeded") for one in done), json.dumps(done)


SPEAKING = {
    (Rung.DISABLE_DEVICE, "started"),
    (Rung.REVOKE_SESSIONS, "done"),
    (Rung.REMOVE_METHOD, "done"),
    (Rung.CONFIRM_USER, "waiting"),
}
"""Each moment; all rungs go through the same step. `make soak` has each rung with each moment."""


def each(*moments: str) -> list[Any]:
    """Each rung with each of these moments."""
    pairs = [(rung, moment) for rung in Rung for moment in moments]
    return [pytest.param(*pair, marks=() if pair in SPEAKING else pytest.mark.soak) for pair in pairs]


def test_every_rung_has_its_path() -> None:
    assert set(PATHS) == set(Rung)


@pytest.mark.parametrize(("rung", "event"), each("started", "done"))
def test_killed_before_or_after_a_write(rung: Rung, event: str, tenant: Callable[..., RunningLab]) -> None:
    there = tenant()
    kill_at(f"{event}:{rung.value}")
    end(there)


@pytest.mark.parametrize(("rung", "event"), each("waiting"))
def test_killed_when_the_request_is_sent_and_the_answer_lost(
    rung: Rung, event: str, tenant: Callable[..., RunningLab]
) -> None:
    there = tenant(faults=(LabFault(match=PATHS[rung], kind="drop_after"),))
    kill_at(f"{event}:{rung.value}")
    end(there)
