"""Who holds the token, by correlation and client. The approver's own browser is marked as well, and redeems nothing."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from respond.clients.rows import read_sign_in
from respond.decision.verdict import decide
from respond.models.evidence import Evidence, UsualPlaces
from respond.models.flows import join_flows
from respond.models.report import VerdictKind
from respond.models.signin import Flow, SignIn, SignIns
from tests.decision.test_decision import APPROVALS, AZURE_CLI, NOON, OFFICE, POLICY, REDEMPTIONS, TOR, place

EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/144.0 Safari/537.36 Edg/144.0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
OFFICE_HOME = "4765445b-32c6-49b0-83e6-1d93765276ca"
LAPTOP, ROGUE = {"deviceId": "aaaa"}, {"deviceId": "bbbb"}
MOBILE: dict[str, Any] = {"IPAddress": "198.51.100.200", "AutonomousSystemNumber": "64501", "Location": "US"}


def row(table: str, minutes: int, at: dict[str, Any], **columns: Any) -> SignIn:
    plain = {"Id": f"row-{minutes}", "ResultType": "0", "SessionId": "s", "CorrelationId": f"c-{minutes}"}
    known = {"At": NOON + timedelta(minutes=minutes), "AppId": AZURE_CLI, "UserAgent": EDGE, "DeviceDetail": LAPTOP}
    return read_sign_in(plain | known | at | columns, table)


APPROVAL = row(APPROVALS, 0, OFFICE, IsDeviceCode=True, CorrelationId="code")


def marked(minutes: int, at: dict[str, Any], **columns: Any) -> SignIn:
    """A row that carries the mark of the session alone."""
    return row(REDEMPTIONS, minutes, at, IsTransferred=True, **columns)


def client(minutes: int, at: dict[str, Any], **columns: Any) -> SignIn:
    """One of a client that is no browser and has no device."""
    said = {"UserAgent": "node", "DeviceDetail": {}, "ClientAppUsed": "Mobile Apps and Desktop clients"}
    return marked(minutes, at, **said | columns)


def browser(minutes: int, at: dict[str, Any], **columns: Any) -> SignIn:
    return marked(minutes, at, **{"ClientAppUsed": "Browser", "AppId": OFFICE_HOME} | columns)


def flow(*rows: SignIn) -> Flow:
    (one,) = join_flows(rows)
    return one


def ids(rows: tuple[SignIn, ...]) -> list[str]:
    return [one.id for one in rows]


@pytest.mark.parametrize(
    ("row", "holds", "redeems"),
    [
        pytest.param(client(1, TOR, CorrelationId="code"), True, True, id="the-approvals-correlation"),
        pytest.param(browser(1, TOR, CorrelationId="code"), True, True, id="a-browser-of-that-correlation"),
        pytest.param(client(1, TOR), True, True, id="a-client-of-the-approved-app"),
        pytest.param(client(1, TOR, AppId=OFFICE_HOME), True, False, id="a-client-of-another-app"),
        pytest.param(browser(1, MOBILE), False, False, id="their-device-elsewhere"),
        pytest.param(browser(1, OFFICE, DeviceDetail={}, UserAgent=FIREFOX), False, False, id="the-approvers-address"),
        pytest.param(browser(1, MOBILE, DeviceDetail={}), False, False, id="the-approvers-user-agent"),
        pytest.param(browser(1, TOR, DeviceDetail=ROGUE), True, False, id="another-device-and-address"),
        pytest.param(browser(1, TOR, DeviceDetail={}, UserAgent=FIREFOX), True, False, id="another-browser-elsewhere"),
        pytest.param(browser(1, MOBILE, ClientAppUsed=""), False, False, id="a-browser-by-its-user-agent"),
        pytest.param(
            client(1, MOBILE, AppId=OFFICE_HOME, DeviceDetail=LAPTOP), False, False, id="the-approvers-device"
        ),
    ],
)
def test_a_marked_row_is_the_approvers_own_or_holds_the_token(row: SignIn, holds: bool, redeems: bool) -> None:
    one = flow(APPROVAL, row)
    assert (row in one.redemptions, row in one.redeemers) == (holds, redeems)
    assert (row in one.own_rows) == (not holds)
    assert one.holder_rows == ((row,) if holds else (APPROVAL,))


def test_an_interactive_browser_row_with_the_mark_on_another_device_is_not_the_user() -> None:
    """A primary refresh token that an attacker has registered opens a browser session of its own."""
    cookie = row(APPROVALS, 5, TOR, IsTransferred=True, ClientAppUsed="Browser", DeviceDetail=ROGUE)
    assert flow(APPROVAL, cookie).redemptions == (cookie,)


def test_without_an_approval_on_record_a_browser_redeems_nothing_and_holds_the_session() -> None:
    one = flow(browser(1, OFFICE))
    assert (ids(one.redemptions), one.redeemers, one.completed) == (["row-1"], (), True)


HOME = Evidence(
    usual=UsualPlaces(places=(place(OFFICE, days=9, app_id=OFFICE_HOME), place(OFFICE, days=2, app_id=AZURE_CLI)))
)


def judged(*rows: SignIn) -> tuple[VerdictKind, set[str]]:
    verdict = decide(POLICY, SignIns(flows=join_flows(rows)), HOME)
    return verdict.kind, {one.id for one in verdict.findings}


def test_while_the_redeemer_is_late_the_approvers_own_browser_clears_nothing() -> None:
    kind, findings = judged(APPROVAL, browser(4, OFFICE))
    assert kind is VerdictKind.SUSPICIOUS
    assert {"redeemer-unseen"} <= findings
    assert "usual-place" not in findings


def test_the_own_browser_on_a_mobile_network_does_not_speak_against_a_code_redeemed_at_home() -> None:
    kind, findings = judged(APPROVAL, client(1, OFFICE, CorrelationId="code"), browser(200, MOBILE))
    assert kind is VerdictKind.BENIGN
    assert not findings & {"legs-apart", "new-network", "other-address"}


def test_an_attackers_browser_beside_an_unseen_redeemer_speaks_against_it() -> None:
    kind, findings = judged(APPROVAL, browser(4, TOR, DeviceDetail=ROGUE))
    assert kind is not VerdictKind.BENIGN
    assert {"redeemer-unseen", "legs-apart", "new-country"} <= findings


@pytest.mark.parametrize("rows", [(), (browser(4, TOR, DeviceDetail=ROGUE),)], ids=["nobody-yet", "a-browser"])
def test_where_somebody_was_is_no_attack_because_the_redeemer_is_late(rows: tuple[SignIn, ...]) -> None:
    """A traveller approves where they never were before; that one row is late must not carry it over the threshold."""
    abroad = row(APPROVALS, 0, TOR, CorrelationId="code", IsDeviceCode=True, AppId=AZURE_CLI)
    kind, findings = judged(APPROVAL if rows else abroad, *rows)
    assert kind is VerdictKind.SUSPICIOUS
    assert {"redeemer-unseen", "new-country", "new-network"} <= findings


def test_the_order_in_which_rows_come_changes_nothing() -> None:
    rows = [APPROVAL, client(1, TOR, CorrelationId="code"), browser(4, OFFICE), browser(9, TOR, DeviceDetail=ROGUE)]
    assert len({(kind, *sorted(found)) for kind, found in (judged(*order) for order in permutations(rows))}) == 1
