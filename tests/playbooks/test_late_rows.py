"""Rows that were late: a case that was cleared or asked about without them is judged again, without anybody asking."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from respond.lab.state import LabState
from tests.helpers.command import respond
from tests.helpers.service_desk import state_of
from tests.helpers.tenant_story import Tale, guid, iso, real_now, upn
from tests.helpers.victims import ATTACKER, OFFICE
from tests.lab.running_lab import running

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def told(folder: Path, *, complete: bool) -> Path:
    """Ann approved and nobody is seen to redeem; Cat's code stayed in the office. Later, more is known of both."""
    tale = Tale(real_now())
    for name in ("ann", "cat"):
        tale.user(name)
        tale.phished(name, ago=timedelta(minutes=20))
    tale.redemptions[1]["IPAddress"] = OFFICE
    for day in range(1, 9):
        usual = tale.approvals[1] | {"Id": guid(f"cat|{day}"), "AuthenticationProtocol": "oAuth2"}
        usual |= {"CorrelationId": guid(f"cat|{day}|c"), "SessionId": guid(f"cat|{day}|s")}
        at = iso(tale.now - timedelta(days=day))
        tale.approvals.append(usual | {"TimeGenerated": at, "CreatedDateTime": at})
    session = tale.redemptions[1]["SessionId"]
    if not complete:
        del tale.redemptions[0]
    tale.write(folder)
    if complete:
        search = _search(iso(tale.now - timedelta(minutes=15)), session)
        (folder / "MicrosoftGraphActivityLogs.jsonl").write_text(json.dumps(search) + "\n")
    return folder


def _search(at: str, session: str) -> dict[str, Any]:
    return {
        "TimeGenerated": at,
        "UserId": guid("cat"),
        "SessionId": session,
        "IPAddress": ATTACKER,
        "UserAgent": "python-requests/2.32.3",
        "RequestMethod": "GET",
        "RequestUri": "https://graph.microsoft.com/v1.0/me/messages?$search=invoice",
        "ResponseStatusCode": 200,
    }


def report(*arguments: str) -> Any:
    answer = respond(*arguments, "--json")
    assert answer.out, answer.err
    return answer.json


def test_a_case_cleared_or_asked_while_rows_were_late_is_judged_again_when_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, file = state_of(tmp_path), tmp_path / "state" / "respond.db"
    with running(told(tmp_path / "before", complete=False), tmp_path / "lab") as tenant:
        monkeypatch.setenv("RESPOND_STATE__URL", state)
        monkeypatch.setenv("RESPOND_LAB__URL", tenant.url)
        first = {name: report("--user", upn(name)) for name in ("ann", "cat")}
        assert {name: one["verdict"] for name, one in first.items()} == {"ann": "suspicious", "cat": "benign"}
        assert respond("watch", "--once").code == 0, "nothing is due yet"

        LabState(tmp_path / "lab").load(told(tmp_path / "after", complete=True))
        # An hour or two go by.
        with closing(sqlite3.connect(file)) as db, db:
            db.execute("UPDATE respond_watches SET due = ?", (iso(real_now() - timedelta(minutes=1)),))
        respond("watch", "--once")
        again = {name: report("show", first[name]["case"]) for name in first}
    assert again["ann"]["verdict"] == "malicious"
    assert {"token-searches", "token-elsewhere"} <= {one["id"] for one in again["cat"]["findings"]}
    assert again["cat"]["verdict"] != "benign"
    assert again["ann"]["ticket"]["id"] == first["ann"]["ticket"]["id"]
    assert again["cat"]["ticket"]


def added(folder: Path, *, complete: bool) -> Path:
    """Dan's code stayed in the office, and calls with its token are on record; what he added there is logged late."""
    tale = Tale(real_now())
    tale.user("dan")
    tale.phished("dan", ago=timedelta(minutes=20))
    tale.redemptions[0]["IPAddress"] = OFFICE
    for day in range(1, 9):
        usual = tale.approvals[0] | {"Id": guid(f"dan|{day}"), "AuthenticationProtocol": "oAuth2"}
        usual |= {"CorrelationId": guid(f"dan|{day}|c"), "SessionId": guid(f"dan|{day}|s")}
        at = iso(tale.now - timedelta(days=day))
        tale.approvals.append(usual | {"TimeGenerated": at, "CreatedDateTime": at})
    at = iso(tale.now - timedelta(minutes=15))
    call = _search(at, tale.redemptions[0]["SessionId"]) | {"UserId": guid("dan"), "IPAddress": OFFICE}
    call["RequestUri"] = "https://graph.microsoft.com/v1.0/me"
    tale.write(folder)
    (folder / "MicrosoftGraphActivityLogs.jsonl").write_text(json.dumps(call) + "\n")
    if complete:
        who = {"user": {"id": guid("dan"), "userPrincipalName": upn("dan"), "ipAddress": OFFICE}}
        row: dict[str, object] = {
            "TimeGenerated": at,
            "ActivityDateTime": at,
            "Id": "Directory_1",
            "Result": "success",
            "InitiatedBy": who,
        }
        row |= {"OperationName": "User registered security info", "TargetResources": [{"id": guid("dan")}]}
        (folder / "AuditLogs.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_a_case_that_was_cleared_is_judged_again_with_what_the_audit_log_brings_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where everything else was there the first time."""
    with running(added(tmp_path / "before", complete=False), tmp_path / "lab") as tenant:
        monkeypatch.setenv("RESPOND_STATE__URL", state_of(tmp_path))
        monkeypatch.setenv("RESPOND_LAB__URL", tenant.url)
        first = report("--user", upn("dan"))
        assert first["verdict"] == "benign", first["findings"]
        assert not [gap for gap in first["gaps"] if "AuditLogs" in gap["source"]]
        LabState(tmp_path / "lab").load(added(tmp_path / "after", complete=True))
        with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db, db:
            (due,) = db.execute("SELECT due FROM respond_watches").fetchone()
            assert abs(datetime.fromisoformat(due) - real_now() - timedelta(hours=2)) < timedelta(minutes=5)
            db.execute("UPDATE respond_watches SET due = ?", (iso(real_now() - timedelta(minutes=1)),))
        respond("watch", "--once")
        again = report("show", first["case"])
    assert again["verdict"] == "suspicious"
    assert "act-at-familiar-address" in {one["id"] for one in again["findings"]}
