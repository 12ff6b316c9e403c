"""Causes of wrong verdicts by kind: what one place weighs, whom colleagues explain, what leaves, what is hidden."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from respond.addresses import is_hidden, may_be_same
from respond.clients.forwarding import leads_outside
from respond.decision.bounds import cap_of
from respond.decision.cut import Collected, evidence_at
from respond.decision.verdict import decide
from respond.models.evidence import (
    AddressDay,
    Evidence,
    Foothold,
    FootholdKind,
    Footholds,
    History,
    Lures,
    SentMail,
    SharedAddresses,
    TokenUses,
    Visit,
)
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import Leg, SignIns
from tests.decision.test_decision import (
    APPROVALS,
    AZURE_CLI,
    END,
    ENROLLED,
    HOTEL,
    KIOSK,
    NOON,
    OFFICE,
    POLICY,
    REDEMPTIONS,
    RENTED,
    START,
    TEAMS,
    TOR,
    USER,
    approved_and_redeemed,
    click,
    foothold,
    found,
    judged,
    listed,
    message,
    place,
    regular,
    reliefs,
    sign_in,
    story,
    used,
    usual,
)

SCRIPT = {"UserAgent": "python-requests/2.32"}
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
AT_WORK = place(OFFICE, days=9)
ELSEWHERE = approved_and_redeemed(OFFICE, RENTED | SCRIPT | {"Location": "FI"}, AppId=AZURE_CLI)
"""Another network, country and machine, anybody's to rent, a script, a powerful app, a first code: one place."""

# One place has many names, and none of them is an attack.


def test_circumstances_alone_ask_a_person_and_contain_nobody() -> None:
    verdict = judged(ELSEWHERE, usual(AT_WORK))
    assert len([one for one in verdict.findings if one.weight >= 0]) > 6
    assert verdict.score == cap_of(POLICY) == 55
    assert verdict.kind is VerdictKind.SUSPICIOUS


@pytest.mark.parametrize(
    "second",
    [
        {"lures": Lures(clicks=(click(-5),))},
        {"uses": TokenUses(uses=(used(RENTED, content=1),))},
        {"uses": TokenUses(uses=(used(RENTED, sent=1),))},
        {"footholds": Footholds(changes=(foothold(FootholdKind.CONSENT, RENTED),))},
        {"intel": listed(RENTED["IPAddress"])},
    ],
    ids=["a lure", "an act of the token", "a message sent", "persistence", "intelligence"],
)
def test_a_second_kind_of_evidence_carries_them_over(second: dict[str, Any]) -> None:
    verdict = judged(ELSEWHERE, usual(AT_WORK).model_copy(update=second))
    assert verdict.kind is VerdictKind.MALICIOUS
    assert verdict.score == min(100, sum(one.weight for one in verdict.findings))


def test_the_cap_lies_below_the_threshold_whatever_the_policy_says() -> None:
    low = POLICY.model_copy(update={"thresholds": POLICY.thresholds.model_copy(update={"malicious": 40})})
    assert cap_of(low) == 39


@pytest.mark.parametrize(
    ("client", "resource", "named"),
    [
        (SCRIPT | {"AppId": TEAMS}, EXCHANGE, True),
        ({"UserAgent": "x", "AppId": AZURE_CLI}, EXCHANGE, True),
        (SCRIPT | {"AppId": AZURE_CLI}, "797f4846-ba00-4fd7-ba43-dac1f8f63013", False),
        ({"UserAgent": "Outlook-iOS/7", "AppId": TEAMS}, EXCHANGE, False),
    ],
    ids=["a script for mail", "a command line for mail", "a script for Azure", "a product for mail"],
)
def test_what_the_token_is_for_tells_a_clerk_from_an_engineer(
    client: dict[str, Any], resource: str, named: bool
) -> None:
    signins = approved_and_redeemed(OFFICE, RENTED | client | {"ResourceIdentity": resource})
    assert ("token-for-content" in found(judged(signins, usual(AT_WORK)))) == named


# Familiarity of the redeeming leg.


def visits(at: dict[str, Any], days: tuple[int, ...], *, approving: bool) -> list[Visit]:
    return [
        one.model_copy(
            update={"is_approving": approving, "first": one.first - timedelta(days=day), "session": f"s{day}"}
        )
        for day in days
        for one in regular(at, KIOSK, 1, code=True)
    ]


def with_history(*bundles: list[Visit], signins: SignIns) -> Verdict:
    collected = Collected(history=History(visits=tuple(one for bundle in bundles for one in bundle)))
    return decide(POLICY, signins, evidence_at(signins, collected, POLICY, START, END))


CARRIER = [HOTEL | {"IPAddress": f"198.51.100.{number}"} for number in (20, 90, 160)]
WEEKS = (2, 9, 16)


def test_the_network_that_approves_vouches_for_no_redeemer_in_it() -> None:
    """A phone approves on its carrier, at another address every time; a fixed server redeemed."""
    approving = [visits(at, (day,), approving=True) for at, day in zip(CARRIER, WEEKS, strict=True)]
    today = approved_and_redeemed(CARRIER[0], HOTEL | {"IPAddress": "198.51.100.230"})
    verdict = with_history(*approving, visits(OFFICE, WEEKS, approving=False), signins=today)
    assert not reliefs(verdict)
    assert "redeemer-moved" in found(verdict)


def test_a_redeemer_that_moves_inside_its_network_is_a_habit() -> None:
    redeeming = [visits(at, (day,), approving=False) for at, day in zip(CARRIER, WEEKS, strict=True)]
    today = approved_and_redeemed(OFFICE, HOTEL | {"IPAddress": "198.51.100.230", "Location": "FR"})
    verdict = with_history(*redeeming, visits(OFFICE, WEEKS, approving=True), signins=today)
    assert reliefs(verdict) == {"device-code-habit-moving"}
    assert not found(verdict) & {"redeemer-moved", "new-country"}


@pytest.mark.parametrize("uses", [{"sensitive": 1}, {"content": 30}], ids=["searches", "mass reads"])
def test_no_habit_counts_beside_searches_and_mass_reads(uses: dict[str, int]) -> None:
    habit = usual(place(OFFICE, days=9, device_code_days=5, device_code_sessions=5))
    signins = approved_and_redeemed(OFFICE, OFFICE)
    assert "habitual-device-code" in found(judged(signins, habit))
    after = habit.model_copy(update={"uses": TokenUses(uses=(used(OFFICE, **uses),))})
    assert "habitual-device-code" not in found(judged(signins, after))


# Colleagues and rollouts.

TODAY = NOON.replace(hour=0)


def code_day(days: int, leg: Leg, *users: str, app: str = KIOSK, agent: str = "kubelogin/1.2") -> AddressDay:
    return AddressDay(
        ip=RENTED["IPAddress"],
        day=TODAY - timedelta(days=days),
        users=frozenset(users),
        names=frozenset(f"{user}@contoso.com" for user in users),
        by_code=True,
        leg=leg,
        app_id=app,
        agent=agent,
    )


TEAM = [code_day(days, Leg.REDEEMING, user) for user in ("ann", "bob") for days in (20, 13, 6)]
NEWCOMER = approved_and_redeemed(OFFICE, RENTED | {"UserAgent": "kubelogin/1.3"}, UserId=USER)


def among(*days: AddressDay, signins: SignIns = NEWCOMER, lures: Lures | None = None, **more: Any) -> Verdict:
    collected = Collected(shared=SharedAddresses(days=days, **more), lures=lures or Lures())
    return decide(POLICY, signins, evidence_at(signins, collected, POLICY, START, END))


def test_colleagues_at_the_same_server_explain_a_newcomer() -> None:
    assert "colleagues-redeem-here" in found(among(*TEAM))
    assert among(*TEAM).kind is VerdictKind.BENIGN
    assert among().kind is not VerdictKind.BENIGN


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(lambda: among(*TEAM, lures=Lures(clicks=(click(-5),))), id="the newcomer was lured"),
        pytest.param(lambda: among(*TEAM, lured=frozenset({"ann@contoso.com"})), id="a colleague was lured"),
        pytest.param(lambda: among(*TEAM, lures_unread=True), id="lures cannot be read"),
        pytest.param(lambda: among(*TEAM[:3]), id="one colleague"),
        pytest.param(lambda: among(*TEAM[2:3], *TEAM[5:]), id="since this week"),
        pytest.param(
            lambda: among(*(one.model_copy(update={"agent": "node"}) for one in TEAM)), id="with another client"
        ),
        pytest.param(
            lambda: among(*(one.model_copy(update={"app_id": AZURE_CLI}) for one in TEAM)), id="with another app"
        ),
        pytest.param(
            lambda: among(*(one.model_copy(update={"leg": None}) for one in TEAM)), id="approved on no managed device"
        ),
    ],
)
def test_colleagues_explain_nothing(verdict: Any) -> None:
    assert "colleagues-redeem-here" not in found(verdict())


CROWD = tuple(f"scanner-{number}" for number in range(11))
ROLLOUT = (code_day(0, Leg.REDEEMING, *CROWD), code_day(0, Leg.APPROVING, *CROWD))


@pytest.mark.parametrize(
    ("device", "explained"),
    [(ENROLLED | {"deviceId": "laptop"}, True), ({}, False)],
    ids=["approved on a managed laptop", "approved in an unregistered browser"],
)
def test_a_rollout_explains_the_accounts_that_are_part_of_it(device: dict[str, str], explained: bool) -> None:
    mine = story(
        sign_in(APPROVALS, 0, **RENTED, UserId=USER, DeviceDetail=device),
        sign_in(REDEMPTIONS, 1, **RENTED, UserId=USER),
    )
    verdict = among(*ROLLOUT, signins=mine)
    assert ("set-up-in-a-batch" in found(verdict)) == explained
    assert verdict.is_benign == explained


def test_accounts_that_are_in_question_make_no_address_common() -> None:
    plain = AddressDay(ip=TOR["IPAddress"], day=TODAY, users=frozenset({"ann", "bob", "eve"}), by_code=False)
    regulars = [plain.model_copy(update={"day": TODAY - timedelta(days=day)}) for day in (1, 2, 3)]
    victims = plain.model_copy(update={"by_code": True})
    signins = approved_and_redeemed(OFFICE, TOR, UserId=USER)
    assert "common-address" in found(among(*regulars, signins=signins))
    assert "common-address" not in found(among(*regulars, victims, signins=signins))


# Acts at an address where everybody is.

HERE = place(OFFICE, days=9)


@pytest.mark.parametrize("kind", [FootholdKind.METHOD, FootholdKind.CONSENT, FootholdKind.MAIL_RULE])
def test_what_is_added_at_a_familiar_address_is_named_and_asked_about(kind: FootholdKind) -> None:
    signins = approved_and_redeemed(OFFICE, OFFICE)
    after = usual(HERE).model_copy(update={"footholds": Footholds(changes=(foothold(kind, OFFICE, 8),))})
    verdict = judged(signins, after)
    assert judged(signins, usual(HERE)).kind is VerdictKind.BENIGN
    assert (verdict.kind, "act-at-familiar-address" in found(verdict)) == (VerdictKind.SUSPICIOUS, True)


def test_a_consent_that_asks_for_a_name_only_is_not_asked_about() -> None:
    asked = foothold(FootholdKind.CONSENT, OFFICE, 8).model_copy(update={"scopes": ("openid", "user.read")})
    after = usual(HERE).model_copy(update={"footholds": Footholds(changes=(asked,))})
    assert judged(approved_and_redeemed(OFFICE, OFFICE), after).kind is VerdictKind.BENIGN


@pytest.mark.parametrize("registers", [True, False])
def test_a_device_at_a_familiar_address_is_tied_by_the_token_for_its_registration(registers: bool) -> None:
    resource = {"ResourceIdentity": "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"} if registers else {}
    after = usual(HERE).model_copy(update={"footholds": Footholds(changes=(foothold(FootholdKind.DEVICE, OFFICE, 8),))})
    verdict = judged(approved_and_redeemed(OFFICE, OFFICE, **resource), after)
    assert ("device-added" in found(verdict)) == registers
    assert ("device-at-familiar-address" in found(verdict)) != registers


# What leaves.

PICTURE = message(0.05, pattern="", first_contact=True, urls=(), picture=True)


def sent(minutes: float, outsiders: int = 40) -> TokenUses:
    mail = SentMail(id="m", at=NOON + timedelta(minutes=minutes), subject="x", outsiders=outsiders)
    return TokenUses(mass_mails=(mail,))


def test_a_picture_from_a_stranger_and_mail_to_many_outsiders_contain_at_any_place() -> None:
    signins = approved_and_redeemed(OFFICE, OFFICE, AppId=AZURE_CLI)
    lured = usual(HERE).model_copy(update={"lures": Lures(messages=(PICTURE,))})
    verdict = judged(signins, lured.model_copy(update={"uses": sent(30)}))
    assert {"lure-delivered", "mass-mail", "lure-then-mass-mail"} <= found(verdict)
    assert verdict.kind is VerdictKind.MALICIOUS
    assert judged(signins, lured).kind is not VerdictKind.MALICIOUS


def test_somebody_who_writes_to_many_every_week_does_so_today() -> None:
    before = sent(-60 * 24 * 7).mass_mails + sent(30).mass_mails
    after = usual(HERE).model_copy(update={"uses": TokenUses(mass_mails=before)})
    assert "mass-mail" not in found(judged(approved_and_redeemed(OFFICE, OFFICE), after))


FORWARDS = [{"ActionType": "Forward", "To": "a@evil.example"}]


@pytest.mark.parametrize(
    ("row", "outside"),
    [
        ({"Parameters": '[{"Name":"ForwardTo","Value":"a@evil.example"}]'}, True),
        ({"Parameters": '[{"Name":"RedirectTo","Value":"\\"A\\" [SMTP:a@evil.example]"}]'}, True),
        ({"Parameters": '[{"Name":"ForwardingSmtpAddress","Value":"smtp:a@evil.example"}]'}, True),
        ({"Parameters": '[{"Name":"ForwardTo","Value":"b@contoso.com"}]'}, False),
        ({"Parameters": '[{"Name":"ForwardTo","Value":"b@mail.contoso.com"}]'}, False),
        ({"Parameters": '[{"Name":"From","Value":"news@evil.example"},{"Name":"MoveToFolder","Value":"x"}]'}, False),
        (
            {"Properties": json.dumps([{"Name": "RuleActions", "Value": json.dumps(FORWARDS)}])},
            True,
        ),
        ({"Parameters": '{"Name":"x","ForwardTo":"a@evil.example"}'}, True),
        ({"Parameters": '{"Name":"x","RedirectTo":["a@evil.example"]}'}, True),
        ({"Parameters": json.dumps('{"ForwardTo":"a@evil.example"}')}, True),
        ({"Parameters": '{"ForwardTo":"b@contoso.com"}'}, False),
        ({"Parameters": "not json"}, False),
    ],
)
def test_a_rule_leads_outside_by_where_it_forwards_to(row: dict[str, str], outside: bool) -> None:
    assert leads_outside({"UserId": "target@contoso.com"} | row) == outside


def test_forwarding_outside_weighs_more_than_filing_newsletters() -> None:
    rule = Foothold(
        kind=FootholdKind.MAIL_RULE, table="OfficeActivity", id="r", at=NOON, what="x", ip="", session="one"
    )
    signins = approved_and_redeemed(HOTEL, HOTEL)
    files, forwards = (
        judged(signins, Evidence(footholds=Footholds(changes=(rule.model_copy(update={"leads_outside": out}),))))
        for out in (False, True)
    )
    assert forwards.score == files.score + POLICY.weights.forwarding_outside
    assert forwards.kind is VerdictKind.MALICIOUS


def test_a_click_counts_from_the_first_attempt_and_not_from_the_code_that_worked() -> None:
    failed = sign_in(APPROVALS, -50, **OFFICE, ResultType="50199", SessionId="first", CorrelationId="first")
    signins = approved_and_redeemed(OFFICE, TOR)
    lured = Evidence(lures=Lures(clicks=(click(-55),)))
    assert "lure-clicked" not in found(judged(signins, lured))
    assert "lure-clicked" in found(judged(story(failed, *signins.rows), lured))


# Nothing known is not nothing new.


def test_an_account_that_never_signed_in_and_gets_a_token_is_asked_about() -> None:
    signins = approved_and_redeemed(HOTEL, HOTEL)
    assert "nothing-known" in found(judged(signins))
    assert judged(signins).kind is VerdictKind.SUSPICIOUS
    assert "nothing-known" not in found(judged(signins, usual(place(OFFICE))))


@pytest.mark.parametrize(("at", "benign"), [(OFFICE, True), (HOTEL, False)])
def test_a_session_without_an_approval_is_benign_at_a_usual_address_only(at: dict[str, Any], benign: bool) -> None:
    known = place(OFFICE, days=9, device_code_days=5, device_code_sessions=5)
    assert judged(story(sign_in(REDEMPTIONS, 1, **at)), usual(known)).is_benign == benign


def test_no_place_acquits_where_app_code_and_client_are_all_new() -> None:
    signins = approved_and_redeemed(OFFICE, OFFICE, AppId=AZURE_CLI)
    assert judged(signins, usual(place(OFFICE, days=9))).kind is VerdictKind.SUSPICIOUS
    assert judged(signins, usual(place(OFFICE, days=9), place(OFFICE, days=2, app_id=AZURE_CLI))).is_benign


# Hidden octets.


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.xxx", "203.0.113.7", True),
        ("203.0.113.XXX", "203.0.113.xxx", True),
        ("203.0.113.xxx", "198.51.100.7", False),
        ("2001:db8:1:2:xxxx:xxxx:xxxx:xxxx", "2001:db8:1:2:a:b:c:d", True),
        ("2001:db8:1:2:xxxx:xxxx:xxxx:xxxx", "2001:db8:9:2:a:b:c:d", False),
        ("", "203.0.113.7", True),
    ],
)
def test_a_hidden_address_is_compared_by_what_is_visible(one: str, other: str, same: bool) -> None:
    assert may_be_same(one, other) is may_be_same(other, one) is same
    assert not is_hidden("203.0.113.7")


def test_a_hidden_octet_neither_speaks_against_a_sign_in_nor_clears_it() -> None:
    hidden = OFFICE | {"IPAddress": "192.0.2.xxx"}
    verdict = judged(approved_and_redeemed(hidden, hidden), usual(place(OFFICE, days=9)))
    assert not found(verdict) & {"legs-apart", "other-address", "new-network", "redeemer-moved"}
    assert not reliefs(verdict)


def test_a_hidden_refresh_beside_a_shown_one_takes_no_relief_away() -> None:
    rows = approved_and_redeemed(OFFICE, OFFICE).rows
    later = sign_in(REDEMPTIONS, 9, **OFFICE | {"IPAddress": "192.0.2.xxx"})
    assert "usual-place" in found(judged(story(*rows, later), usual(place(OFFICE, days=9))))


# Contradiction.


def test_an_attack_in_a_trusted_network_asks_a_person() -> None:
    trusted = TOR | SCRIPT | {"NetworkLocationDetails": "trustedNamedLocation"}
    lured = Evidence(lures=Lures(clicks=(click(-5),), messages=(message(0.01),)), intel=listed(TOR["IPAddress"]))
    asked = judged(approved_and_redeemed(OFFICE, trusted), lured)
    assert asked.score >= POLICY.thresholds.malicious
    assert (asked.kind, "contradiction" in found(asked)) == (VerdictKind.SUSPICIOUS, True)
    assert judged(approved_and_redeemed(OFFICE, TOR | SCRIPT), lured).kind is VerdictKind.MALICIOUS


def test_a_lure_and_searches_are_not_cleared_by_a_trusted_place() -> None:
    trusted = OFFICE | {"NetworkLocationDetails": "trustedNamedLocation"}
    evidence = usual(place(OFFICE, days=9)).model_copy(
        update={
            "lures": Lures(clicks=(click(-5),), messages=(message(0.01),)),
            "uses": TokenUses(uses=(used(OFFICE, sensitive=1),)),
        }
    )
    assert judged(approved_and_redeemed(trusted, trusted), evidence).kind is VerdictKind.SUSPICIOUS


# Devices as kits register them.


def registered(minutes: float, name: str, **more: Any) -> Foothold:
    made = foothold(FootholdKind.DEVICE, TOR, minutes)
    known = {"id": name, "name": name, "aliases": (name,), "creates": True}
    return made.model_copy(update=known | more)


@pytest.mark.parametrize(
    ("devices", "is_kit"),
    [
        ((registered(3, "DESKTOP-7KQ2M1PA", build="10.0.19045.2006"),), True),
        ((registered(3, "DESKTOP-7KQ2M1PA", build="10.0.19045.5011"),), False),
        ((registered(3, "LT-4711", build="10.0.19045.2006"),), False),
        ((registered(3, "LT-4711", agent="python-requests/2.32"),), True),
        ((registered(3, "LT-4711", agent="Dsreg/10.0 (Windows 10.0.26100.1)"),), False),
        (tuple(registered(minute, f"PC-{minute}") for minute in (3, 9, 17)), True),
        (tuple(registered(minute, f"PC-{minute}") for minute in (3, 9, 19)), False),
        (tuple(registered(minute, "PC-1") for minute in (3, 4, 5)), False),
        ((registered(3, "DESKTOP-7KQ2M1PA", build="10.0.19045.2006", removal=True),), False),
        ((registered(3, "DESKTOP-7KQ2M1PA", build="10.0.19045.2006", ip=HOTEL["IPAddress"]),), False),
    ],
)
def test_a_device_looks_like_a_kits_by_build_and_name_by_script_or_by_number(
    devices: tuple[Foothold, ...], is_kit: bool
) -> None:
    signins = approved_and_redeemed(OFFICE, TOR)
    verdict = judged(signins, Evidence(footholds=Footholds(changes=devices)))
    assert ("kit-device" in found(verdict)) == is_kit
