"""Whose sign-ins make something usual, and how long an attacker would have to sign in for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from respond.clients.connect import Connections
from respond.clients.log_answer import Rows
from respond.clients.sources import query_text
from respond.decision.cut import Collected, evidence_at
from respond.decision.verdict import decide
from respond.models.evidence import AddressDay, History, SharedAddresses
from respond.models.report import Verdict
from respond.settings import load_settings, shipped_config
from tests.decision.test_cut import day, visit
from tests.decision.test_decision import (
    END,
    KIOSK,
    NOON,
    OFFICE,
    POLICY,
    START,
    TOR,
    USER,
    approved_and_redeemed,
    found,
)
from tests.lab.running_lab import RunningLab, running

# What the queries let in.

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
THERE = "203.0.113.77"
DEVICE_CODE = {"AuthenticationProtocol": "deviceCode"}
TRANSFERRED = {"OriginalTransferMethod": "deviceCodeFlow", "IncomingTokenType": "none"}
MANAGED = {"DeviceDetail": {"isManaged": True, "isCompliant": True}}
RISKY = {"RiskState": "atRisk", "RiskLevelDuringSignIn": "medium"}
VICTIMS = [f"victim-{number}" for number in range(30)]


def row(user: str, hours_ago: float, **columns: Any) -> dict[str, Any]:
    at = f"{NOW - timedelta(hours=hours_ago):%Y-%m-%dT%H:%M:%SZ}"
    plain = {"TimeGenerated": at, "CreatedDateTime": at, "Id": f"{user}-{hours_ago}", "UserId": user, "ResultType": "0"}
    names = {"UserPrincipalName": f"{user}@contoso.com", "UserType": "Member", "AppId": KIOSK}
    return plain | names | {"IPAddress": THERE, "CorrelationId": f"{user}-{hours_ago}"} | columns


APPROVED = [
    row("me", 1, **DEVICE_CODE, CorrelationId="mine"),
    row("plain member", 50),
    row("guest", 51, UserType="Guest"),
    row("named guest", 52, UserPrincipalName="x_example.com#EXT#@contoso.com"),
    row("of another tenant", 53, HomeTenantId="a", ResourceTenantId="b"),
    row("at risk", 54, RiskState="atRisk"),
    row("low risk", 66, RiskState="atRisk", RiskLevelDuringSignIn="low", RiskLevelAggregated="low"),
    row("compromised", 54.5, RiskState="confirmedCompromised"),
    row("risky sign-in", 55, RiskLevelDuringSignIn="high"),
    row("member", 60, **DEVICE_CODE, **MANAGED, CorrelationId="code", SessionId="shared"),
    row("managed guest", 61, **DEVICE_CODE, **MANAGED, UserType="Guest", CorrelationId="guests code"),
    row("unmanaged", 62, **DEVICE_CODE, CorrelationId="unmanaged code"),
    row("risky member", 63, **DEVICE_CODE, **MANAGED, **RISKY, CorrelationId="risky code"),
    *(row(user, 2, **DEVICE_CODE) for user in VICTIMS),
    # The history of one user.
    row("historian", 30, IPAddress="192.0.2.1"),
    row("historian", 31, IPAddress="192.0.2.2", RiskState="dismissed", RiskLevelDuringSignIn="high"),
    row("historian", 32, IPAddress="192.0.2.3", RiskState="atRisk", RiskLevelDuringSignIn="low"),
    row("historian", 33, IPAddress="192.0.2.4", **RISKY),
    row("historian", 34, IPAddress="192.0.2.5", RiskState="confirmedCompromised"),
]
REDEEMED = [
    row("me", 1, **TRANSFERRED, CorrelationId="mine"),
    row("member", 60, **TRANSFERRED, CorrelationId="code"),
    row("managed guest", 61, **TRANSFERRED, CorrelationId="guests code"),
    row("unmanaged", 62, **TRANSFERRED, CorrelationId="unmanaged code"),
    row("risky member", 63, **TRANSFERRED, CorrelationId="risky code"),
    row("of a shared session", 60, **TRANSFERRED, CorrelationId="", SessionId="shared"),
    row("historian", 35, IPAddress="192.0.2.6", **RISKY),
]


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("vouching")
    (folder / "scenario.json").write_text(json.dumps({"title": "t", "now": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}))
    for table, rows in (("SigninLogs", APPROVED), ("AADNonInteractiveUserSignInLogs", REDEEMED)):
        (folder / f"{table}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    with running(folder, tmp_path_factory.mktemp("state")) as lab:
        yield lab


def ask(tenant: RunningLab, name: str, **values: Any) -> Rows:
    async def asked() -> Rows:
        clients = Connections(load_settings(shipped_config()), tenant.url).clients(read_only=True)
        try:
            return await clients.logs.query(query_text(name, **values))
        finally:
            await clients.close()

    return asyncio.run(asked())


@pytest.fixture(scope="module")
def users(tenant: RunningLab) -> dict[str, set[str]]:
    """Kind of row -> everybody whom the rows of it name."""
    now = datetime.now(UTC)
    ends = {"history": now - timedelta(days=30), "from": now - timedelta(days=1), "to": now + timedelta(hours=1)}
    kinds: dict[str, set[str]] = {}
    for one in ask(tenant, "find_address_use", user_ids=("me",), **ends):
        kinds.setdefault(one["Kind"], set()).update(json.loads(one["Users"]))
    return kinds


def test_only_members_whom_nothing_speaks_against_make_an_address_common(users: dict[str, set[str]]) -> None:
    assert users["plain"] == {"plain member", "low risk"}


def test_only_a_members_code_from_a_managed_device_explains_a_colleagues(users: dict[str, set[str]]) -> None:
    assert users["approved"] == users["redeemed"] == {"member"}


def test_everybody_whose_code_was_there_is_in_question_guests_and_many_victims_too(users: dict[str, set[str]]) -> None:
    assert users["code"] >= {*VICTIMS, "managed guest", "unmanaged", "risky member", "of a shared session"}


def test_a_sign_in_that_is_at_risk_still_makes_no_place_usual(tenant: RunningLab) -> None:
    now = datetime.now(UTC)
    rows = ask(
        tenant,
        "find_usual_places",
        user_ids=("historian",),
        **{"from": now - timedelta(days=30), "to": now + timedelta(hours=1)},
    )
    assert {one["IPAddress"] for one in rows} == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


# How long a slow attacker would need. Each number is the policy's; what falls short of it by one explains nothing.

USUAL = POLICY.usual
DAY = timedelta(days=1)
AT_TOR = {"ip": TOR["IPAddress"], "asn": TOR["AutonomousSystemNumber"], "country": TOR["Location"]}
PHISHED = approved_and_redeemed(OFFICE, TOR, UserId=USER)


def verdict(*visits: Any, shared: tuple[AddressDay, ...] = ()) -> Verdict:
    collected = Collected(history=History(visits=visits), shared=SharedAddresses(days=shared))
    return decide(POLICY, PHISHED, evidence_at(PHISHED, collected, POLICY, START, END))


def own(days: int, **more: Any) -> list[Any]:
    """A sign-in of the user there, with a session of its own, on each of so many days."""
    return [visit(NOON - ago * DAY, **AT_TOR, **{"session": f"s{ago}", **more}) for ago in range(1, days + 1)]


def coded(days: int, *, sessions: int) -> list[Any]:
    """Device codes redeemed there on so many days, of so many codes in all."""
    found = []
    for ago in range(1, days + 1):
        code = f"c{min(ago, sessions)}"
        more: dict[str, Any] = {"session": code, "is_device_code": True, "codes": frozenset({code})}
        found += [visit(NOON - ago * DAY, **AT_TOR, **more)]
    return found


def test_a_place_takes_plain_sign_ins_of_the_user_on_three_days() -> None:
    assert USUAL.place_days == 3
    assert "usual-place" in found(verdict(*own(3)))
    assert "usual-place" not in found(verdict(*own(2)))


@pytest.mark.parametrize(
    "visits",
    [
        pytest.param(
            [visit(NOON - n * timedelta(minutes=30), **AT_TOR) for n in range(1, 40)], id="often, in two days"
        ),
        pytest.param(own(29, session="one"), id="the session in question, for a month"),
        pytest.param(own(29, session="s", is_device_code=True), id="refreshes of one stolen code, for a month"),
        pytest.param(coded(29, sessions=2), id="two codes, refreshed for a month"),
        pytest.param([visit(NOON + n * DAY / 24, **AT_TOR) for n in range(9)], id="after the approval"),
    ],
)
def test_what_one_or_two_stolen_tokens_do_is_no_place_and_no_habit(visits: list[Any]) -> None:
    told = found(verdict(*visits))
    assert not told & {"usual-place", "habitual-device-code", "device-code-habit-moving", "device-code-habit-elsewhere"}


def test_a_habit_takes_three_codes_of_the_same_app_that_the_user_approved_on_three_days() -> None:
    assert (USUAL.habit_days, USUAL.habit_sessions) == (3, 3)
    assert "habitual-device-code" in found(verdict(*coded(3, sessions=3)))
    assert "habitual-device-code" not in found(verdict(*coded(2, sessions=2)))
    other_app = [one.model_copy(update={"app_id": "another"}) for one in coded(3, sessions=3)]
    assert "habitual-device-code" not in found(verdict(*other_app))


def test_a_common_address_takes_three_members_on_three_days_none_of_whom_had_a_code_there() -> None:
    assert (USUAL.common_users, USUAL.common_days) == (3, 3)
    people = ("ann", "bob", "eve")
    assert "common-address" in found(verdict(shared=tuple(day(ago, *people) for ago in (1, 2, 3))))
    for short in (
        tuple(day(ago, *people[:2]) for ago in range(1, 20)),
        tuple(day(ago, *people) for ago in (1, 2)),
        (*(day(ago, *people) for ago in (1, 2, 3)), day(10, "eve", by_code=True)),
        (*(day(ago, *people) for ago in (1, 2, 3)), day(0, "eve", by_code=True)),
    ):
        assert "common-address" not in found(verdict(shared=short))


@pytest.mark.parametrize("visits", [own(29), coded(29, sessions=29)], ids=["plain sign-ins", "codes"])
def test_a_month_of_training_never_clears_a_sign_in_beside_a_hard_fact(visits: list[Any]) -> None:
    from tests.decision.test_decision import listed

    collected = Collected(history=History(visits=tuple(visits)), intel=listed(TOR["IPAddress"]))
    assert not decide(POLICY, PHISHED, evidence_at(PHISHED, collected, POLICY, START, END)).is_benign
