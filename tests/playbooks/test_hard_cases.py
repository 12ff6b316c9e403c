"""Cases that fool a naive reading of the logs, each one field away from the seed's attack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.settings import LabFault
from tests.helpers.command import VICTIM, Answer, respond, revocations
from tests.lab.running_lab import RunningLab

Rows = list[dict[str, Any]]
Variant = Callable[..., Path]
Start = Callable[..., RunningLab]
HOME = "203.0.113.24"


def nothing(rows: Rows) -> None:
    rows.clear()


def approval(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["AuthenticationProtocol"] == "deviceCode")


def plain(rows: Rows) -> None:
    """The attack without its loudest signs: low risk, a browser's name, no indicator needed."""
    for row in rows:
        if row["IPAddress"] == "185.220.101.47":
            row["RiskLevelDuringSignIn"] = row["RiskLevelAggregated"] = "none"


def calm(directory: dict[str, Any]) -> None:
    """Identity Protection has nothing on the user any more."""
    directory["riskyUsers"].clear()


def judge(lab: Start, data: Path, *arguments: str, **settings: Any) -> Answer:
    lab(data, **settings)
    return respond("--user", VICTIM, "--json", *arguments)


def at(row: dict[str, Any], moment: datetime, **more: Any) -> dict[str, Any]:
    stamp = moment.isoformat().replace("+00:00", "Z")
    return row | {"CreatedDateTime": stamp, "TimeGenerated": stamp} | more


def test_a_success_without_the_marker_after_a_marked_interrupt_is_a_sign_in(lab: Start, seed_variant: Variant) -> None:
    """The 50199 row is marked, the success under the same CorrelationId says protocol none."""

    def interrupt(rows: Rows) -> None:
        row = approval(rows)
        rows.append(row | {"Id": "a0000000-0000-4000-8000-00000000ffff", "ResultType": "50199"})
        row["AuthenticationProtocol"] = "none"

    answer = judge(lab, seed_variant(SigninLogs=interrupt, AADNonInteractiveUserSignInLogs=nothing))
    assert answer.json["verdict"] == "malicious"


def test_an_unseen_redeeming_leg_is_never_benign(lab: Start, seed_variant: Variant) -> None:
    """All that is known is the approval, at home, on the managed laptop, at an hour like any other."""

    def at_home(rows: Rows) -> None:
        row, other = approval(rows), next(row for row in rows if row["IPAddress"] == HOME)
        place = {key: other[key] for key in ("IPAddress", "AutonomousSystemNumber", "Location", "LocationDetails")}
        calm = {"RiskLevelDuringSignIn": "none", "RiskLevelAggregated": "none", "UserAgent": other["UserAgent"]}
        plain_app = {"DeviceDetail": other["DeviceDetail"], "AppId": "00000000-0000-0000-0000-00000000beef"}
        row.update(at(row | place | calm | plain_app, datetime.fromisoformat("2026-01-14T17:30:00Z")))

    tables = ("AADNonInteractiveUserSignInLogs", "UrlClickEvents", "EmailEvents", "MicrosoftGraphActivityLogs")
    answer = judge(lab, seed_variant(directory=calm, SigninLogs=at_home, **dict.fromkeys(tables, nothing)))
    assert (answer.code, answer.json["verdict"]) == (3, "suspicious")
    assert "cannot-be-cleared" in {finding["id"] for finding in answer.json["findings"]}


@pytest.mark.soak
def test_a_lost_history_clears_nobody(lab: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "")
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "1")
    fault = LabFault(match="POST */query", contains="FirstManaged", status=504, times=0)
    lab("developer-habit", faults=(fault,))
    answer = respond("--user", "priya.raman@contoso.com", "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "suspicious")
    assert any("history" in gap["source"] for gap in answer.json["gaps"])


@pytest.mark.soak
def test_the_table_of_approvals_can_be_missing(lab: Start, seed_variant: Variant) -> None:
    def absent(scenario: dict[str, Any]) -> None:
        scenario["absent_tables"] = ["SigninLogs"]

    story = seed_variant(scenario=absent)
    (story / "SigninLogs.jsonl").unlink()
    answer = judge(lab, story)
    assert answer.json["verdict"] == "malicious"
    assert "SigninLogs" in {gap["source"] for gap in answer.json["gaps"]}


def test_both_sign_in_tables_missing_is_one_line_and_a_case_for_a_person(lab: Start, seed_variant: Variant) -> None:
    def absent(scenario: dict[str, Any]) -> None:
        scenario["absent_tables"] = ["SigninLogs", "AADNonInteractiveUserSignInLogs"]

    story = seed_variant(scenario=absent)
    for table in ("SigninLogs", "AADNonInteractiveUserSignInLogs"):
        (story / f"{table}.jsonl").unlink()
    answer = judge(lab, story)
    assert (answer.code, answer.json["verdict"]) == (1, "suspicious")
    assert answer.json["ticket"]["id"]
    assert "neither SigninLogs nor AADNonInteractiveUserSignInLogs" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.soak
def test_one_day_with_several_apps_is_one_day(lab: Start, seed_variant: Variant) -> None:
    """The attacker's address touched three apps the day before; that makes no usual place."""

    def the_day_before(rows: Rows) -> None:
        row = approval(rows)
        moment = datetime.fromisoformat(row["CreatedDateTime"]) - timedelta(hours=26)
        quiet = {"AuthenticationProtocol": "none", "SessionId": "s-before", "CorrelationId": "c-before"}
        for number in range(3):
            rows.append(at(row, moment, Id=f"b{number}", AppId=f"app-{number}", OriginalRequestId="", **quiet))

    answer = judge(lab, seed_variant(SigninLogs=the_day_before, ThreatIntelIndicators=nothing))
    assert "usual-place" not in {finding["id"] for finding in answer.json["findings"]}
    assert answer.json["verdict"] == "malicious"


def test_days_of_the_attackers_own_refreshes_are_no_habit(lab: Start, seed_variant: Variant) -> None:
    def refreshed_all_week(rows: Rows) -> None:
        row = rows[-1]
        for day in range(2, 7):
            moment = datetime.fromisoformat(row["CreatedDateTime"]) - timedelta(days=day)
            rows.append(at(row, moment, Id=f"old-{day}", SessionId="", CorrelationId=f"c-{day}"))

    answer = judge(lab, seed_variant(AADNonInteractiveUserSignInLogs=refreshed_all_week, ThreatIntelIndicators=nothing))
    assert not {f["id"] for f in answer.json["findings"]} & {"usual-place", "habitual-device-code"}
    assert answer.json["verdict"] == "malicious"


@pytest.mark.soak
def test_two_unknown_networks_are_not_one(lab: Start, seed_variant: Variant) -> None:
    def nameless(rows: Rows) -> None:
        for row in rows:
            row["AutonomousSystemNumber"] = ""

    def apart(rows: Rows) -> None:
        nameless(rows)
        approval(rows).update({"IPAddress": HOME, "Location": "US"})

    answer = judge(lab, seed_variant(SigninLogs=apart, AADNonInteractiveUserSignInLogs=nameless))
    assert "legs-apart" in {finding["id"] for finding in answer.json["findings"]}


@pytest.mark.soak
def test_ids_are_compared_without_case(lab: Start, seed_variant: Variant) -> None:
    def upper(directory: dict[str, Any]) -> None:
        directory["users"][0]["id"] = directory["users"][0]["id"].upper()

    assert judge(lab, seed_variant(directory=upper)).json["verdict"] == "malicious"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        pytest.param("185.220.101.0/24", "ipv4-addr:value", id="range"),
        pytest.param("185.220.101.47", "network-traffic:src_ref.value", id="address", marks=pytest.mark.soak),
    ],
)
def test_an_indicator_names_an_address_or_its_range(value: str, key: str, lab: Start, seed_variant: Variant) -> None:
    def renamed(rows: Rows) -> None:
        rows[0].update({"ObservableValue": value, "ObservableKey": key})

    answer = judge(lab, seed_variant(ThreatIntelIndicators=renamed))
    assert "threat-intel-address" in {finding["id"] for finding in answer.json["findings"]}


def test_a_suspicious_sign_in_after_containment_is_not_contained_by_it(lab: Start, seed_variant: Variant) -> None:
    """The cut-off lies after the attack and before another strange sign-in: that one needs a cut-off of its own."""

    def again(rows: Rows) -> None:
        row = rows[0]
        moment = datetime.fromisoformat(row["CreatedDateTime"]) + timedelta(minutes=10)
        ids = {"SessionId": "s-new", "CorrelationId": "c-new", "UniqueTokenIdentifier": "t-new", "Id": "n-new"}
        strange = {"IPAddress": "198.51.100.9", "AutonomousSystemNumber": "64999"}
        rows.append(at(row, moment, **ids, **strange))

    def cut_off(directory: dict[str, Any]) -> None:
        directory["users"][0]["signInSessionsValidFromDateTime"] = "2026-01-15T09:30:00Z"

    tenant = lab(seed_variant(AADNonInteractiveUserSignInLogs=again, directory=cut_off))
    answer = respond("--user", VICTIM, "--json")
    assert "another-sign-in" in {finding["id"] for finding in answer.json["findings"]}
    assert answer.action("revoke_sessions")["status"] == "done"
    assert len(revocations(tenant)) == 1


@pytest.mark.soak
def test_a_benign_sign_in_after_containment_signs_nobody_out_again(lab: Start, seed_variant: Variant) -> None:
    """The user goes on working after the cut-off, by device code, from home: no second revocation."""

    def back_to_work(rows: Rows) -> None:
        row = rows[0]
        moment = datetime.fromisoformat(row["CreatedDateTime"]) + timedelta(minutes=10)
        ids = {"SessionId": "s-new", "CorrelationId": "c-new", "UniqueTokenIdentifier": "t-new", "Id": "n-new"}
        home = {"IPAddress": HOME, "AutonomousSystemNumber": "64500", "Location": "US", "UserAgent": "Mozilla/5.0"}
        calm = {"RiskLevelAggregated": "none", "RiskLevelDuringSignIn": "none"}
        teams = {"AppId": "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "AppDisplayName": "Microsoft Teams"}
        rows.append(at(row, moment, **ids, **home, **calm, **teams))

    def cut_off(directory: dict[str, Any]) -> None:
        directory["users"][0]["signInSessionsValidFromDateTime"] = "2026-01-15T09:30:00Z"

    lures = dict.fromkeys(("UrlClickEvents", "EmailEvents"), nothing)
    tenant = lab(seed_variant(AADNonInteractiveUserSignInLogs=back_to_work, directory=cut_off, **lures))
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.action("revoke_sessions")["status"]) == (0, "unneeded")
    assert revocations(tenant) == []


@pytest.mark.soak
def test_a_victim_without_history_is_judged_by_the_two_legs(lab: Start, seed_variant: Variant) -> None:
    """Nobody knows what is usual: approved at home on the managed laptop, redeemed abroad by a script."""

    def new_here(rows: Rows) -> None:
        row, other = approval(rows), next(row for row in rows if row["IPAddress"] == HOME)
        place = {key: other[key] for key in ("IPAddress", "AutonomousSystemNumber", "Location", "LocationDetails")}
        calm = {"RiskLevelDuringSignIn": "none", "RiskLevelAggregated": "none", "UserAgent": other["UserAgent"]}
        row.update(place | calm | {"DeviceDetail": other["DeviceDetail"]})
        rows[:] = [row]

    tables = ("ThreatIntelIndicators", "UrlClickEvents", "EmailEvents", "MicrosoftGraphActivityLogs")
    calm_legs = seed_variant(
        SigninLogs=new_here, AADNonInteractiveUserSignInLogs=plain, **dict.fromkeys(tables, nothing)
    )
    assert judge(lab, calm_legs).json["verdict"] == "malicious"


@pytest.mark.soak
def test_a_habit_is_one_without_session_ids_too(lab: Start, seed_variant: Variant) -> None:
    """Some rows carry no SessionId: the approvals of other days, each with its CorrelationId, make the habit."""

    def every_week(rows: Rows) -> None:
        row, other = approval(rows), next(row for row in rows if row["IPAddress"] == HOME)
        place = {key: other[key] for key in ("IPAddress", "AutonomousSystemNumber", "Location", "LocationDetails")}
        calm = {"RiskLevelDuringSignIn": "none", "RiskLevelAggregated": "none", "SessionId": ""}
        row.update(place | calm)
        for week in range(1, 5):
            moment = datetime.fromisoformat(row["CreatedDateTime"]) - timedelta(days=7 * week)
            rows.append(at(row, moment, Id=f"w-{week}", CorrelationId=f"c-{week}", OriginalRequestId=""))

    def at_home(rows: Rows) -> None:
        plain(rows)
        for row in rows:
            row.update({"IPAddress": HOME, "AutonomousSystemNumber": "64500", "Location": "US", "SessionId": ""})
        first = rows[0]
        for week in range(1, 5):
            moment = datetime.fromisoformat(first["CreatedDateTime"]) - timedelta(days=7 * week)
            again = {
                "Id": f"r-{week}",
                "CorrelationId": f"c-{week}",
                "OriginalRequestId": "",
                "UniqueTokenIdentifier": "",
            }
            rows.append(at(first, moment, **again))

    tables = ("ThreatIntelIndicators", "UrlClickEvents", "EmailEvents", "MicrosoftGraphActivityLogs")
    edits = {"SigninLogs": every_week, "AADNonInteractiveUserSignInLogs": at_home, "directory": calm}
    answer = judge(lab, seed_variant(**edits, **dict.fromkeys(tables, nothing)))
    assert answer.json["verdict"] == "benign", answer.json["findings"]
    assert "habitual-device-code" in {finding["id"] for finding in answer.json["findings"]}


def test_a_session_that_is_only_refreshed_today_is_followed_back_to_its_approval(
    lab: Start, seed_variant: Variant
) -> None:
    """The code was approved five days ago, after a click; what the window shows is a refresh."""
    days = timedelta(days=5)

    def moved(row: dict[str, Any]) -> dict[str, Any]:
        return at(row, datetime.fromisoformat(row.get("CreatedDateTime") or row["TimeGenerated"]) - days)

    def approved_then(rows: Rows) -> None:
        row, other = approval(rows), next(row for row in rows if row["IPAddress"] == HOME)
        place = {key: other[key] for key in ("IPAddress", "AutonomousSystemNumber", "Location", "LocationDetails")}
        row.update(moved(row) | place)

    def redeemed_then(rows: Rows) -> None:
        plain(rows)
        rows[0].update(moved(rows[0]))

    def clicked_then(rows: Rows) -> None:
        moment = datetime.fromisoformat(rows[0]["TimeGenerated"]) - days
        rows[0]["TimeGenerated"] = moment.isoformat().replace("+00:00", "Z")

    story = seed_variant(
        SigninLogs=approved_then,
        AADNonInteractiveUserSignInLogs=redeemed_then,
        UrlClickEvents=clicked_then,
        ThreatIntelIndicators=nothing,
        MicrosoftGraphActivityLogs=nothing,
    )
    answer = judge(lab, story)
    assert {"legs-apart", "lure-clicked"} <= {finding["id"] for finding in answer.json["findings"]}
    assert answer.json["verdict"] == "malicious"
