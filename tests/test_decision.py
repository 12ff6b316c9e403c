"""The decision: more evidence of guilt never lowers the score, not knowing never clears, and every weight counts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from respond.clients.rows import read_sign_in
from respond.decision.verdict import decide
from respond.models.base import Gap
from respond.models.case import Case, Mode, Window
from respond.models.evidence import (
    AddressUse,
    Click,
    Evidence,
    Foothold,
    FootholdKind,
    Footholds,
    Indicator,
    Lures,
    Message,
    Place,
    ThreatIntel,
    TokenUse,
    TokenUses,
    UsualPlaces,
)
from respond.models.flows import join_flows
from respond.models.policy import Policy
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import Risk, SignIn, SignIns
from respond.policies import load_policy
from respond.settings import shipped_config
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab

POLICY = load_policy(shipped_config())
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
APPROVALS, REDEMPTIONS = "SigninLogs", "AADNonInteractiveUserSignInLogs"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
KIOSK = "9d000000-0000-4000-8000-000000000001"
RELIEFS = {
    "habitual-device-code",
    "device-code-habit-elsewhere",
    "usual-place",
    "common-address",
    "managed-device-here",
}

OFFICE: dict[str, Any] = {"IPAddress": "192.0.2.10", "AutonomousSystemNumber": "64496", "Location": "US"}
HOTEL: dict[str, Any] = {"IPAddress": "198.51.100.7", "AutonomousSystemNumber": "64500", "Location": "DE"}
TOR: dict[str, Any] = {"IPAddress": "203.0.113.66", "AutonomousSystemNumber": "64511", "Location": "NL"}


def sign_in(table: str, number: int, **columns: Any) -> SignIn:
    """A successful row of one session, with a device code marker, at `number` minutes past noon."""
    plain = {"At": NOON + timedelta(minutes=number), "Id": f"{table}-{number}", "ResultType": "0", "SessionId": "one"}
    return read_sign_in(plain | {"IsDeviceCode": True, "AppId": KIOSK} | columns, table)


def story(*rows: SignIn) -> SignIns:
    return SignIns(flows=join_flows(rows))


def approved_and_redeemed(approved: dict[str, Any], redeemed: dict[str, Any], **columns: Any) -> SignIns:
    return story(sign_in(APPROVALS, 0, **approved, **columns), sign_in(REDEMPTIONS, 1, **redeemed, **columns))


def place(at: dict[str, Any], **more: Any) -> Place:
    plain = {"app_id": KIOSK, "sign_ins": 9, "days": 1, "device_code_days": 0, "device_code_sessions": 0, "managed": 0}
    where = {"ip": at["IPAddress"], "asn": at["AutonomousSystemNumber"], "country": at["Location"]}
    known: dict[str, Any] = plain | where | {"last": NOON - timedelta(days=1)} | more
    for counted in ("days", "device_code_days", "device_code_sessions"):
        known[counted] = frozenset(map(str, range(known[counted])))
    return Place.model_validate(known)


def usual(*places: Place, **more: Any) -> Evidence:
    return Evidence(usual=UsualPlaces(places=places, **more))


def listed(ip: str, confidence: int = 90) -> ThreatIntel:
    found = Indicator(id=f"{ip}-{confidence}", at=NOON, value=ip, confidence=confidence, description="Tor exit")
    return ThreatIntel(indicators=(found,))


def click(minutes: float, **more: Any) -> Click:
    plain = {"id": f"click {minutes}", "at": NOON + timedelta(minutes=minutes), "url": "https://evil.example/x"}
    rest = {"chain": (), "action": "ClickAllowed", "message_id": "mail", "ip": "192.0.2.10"}
    return Click.model_validate(plain | rest | {"reached_device_login": True} | more)


def message(days: float, **more: Any) -> Message:
    plain = {"id": "mail", "at": NOON - timedelta(days=days), "sender": "a@example.com", "sender_domain": "example.com"}
    rest = {"subject": "Invoice", "delivered_to": "Inbox", "first_contact": False, "urls": ("https://evil.example/x",)}
    return Message.model_validate(plain | rest | {"pattern": "workers-dev"} | more)


def foothold(kind: FootholdKind, at: dict[str, Any], minutes: float = 30) -> Foothold:
    moment = NOON + timedelta(minutes=minutes)
    return Foothold(kind=kind, table="AuditLogs", id=kind, at=moment, what="x", ip=at["IPAddress"])


def used(at: dict[str, Any], **more: int) -> TokenUse:
    plain = {
        "token": "",
        "session": "one",
        "ip": at["IPAddress"],
        "user_agent": "x",
        "calls": 9,
        "writes": 0,
        "directory": 0,
        "content": 0,
    }
    return TokenUse.model_validate(plain | {"first": NOON, "last": NOON} | more)


def judged(signins: SignIns, evidence: Evidence | None = None, policy: Policy = POLICY) -> Verdict:
    return decide(policy, signins, evidence or Evidence())


def found(verdict: Verdict) -> set[str]:
    return {finding.id for finding in verdict.findings}


PHISHED = approved_and_redeemed(OFFICE, TOR | {"UserAgent": "python-requests/2.32"}, AppId=AZURE_CLI)
HABIT = approved_and_redeemed(OFFICE, OFFICE)
AT_HOME = place(OFFICE, days=9, device_code_days=5, device_code_sessions=5)

# Whatever a sign-in and the evidence on it may look like.
PLACES = st.sampled_from(
    [OFFICE, HOTEL, TOR, HOTEL | {"Location": ""}, TOR | {"IPAddress": "203.0.113.xxx"}, TOR | {"IPAddress": ""}]
)
COLUMNS = st.fixed_dictionaries(
    {
        "AppId": st.sampled_from([KIOSK, AZURE_CLI]),
        "RiskLevelAggregated": st.sampled_from(["", "hidden", "none", "low", "medium", "high"]),
        "UserAgent": st.sampled_from(["", "Mozilla/5.0", "python-requests/2.32"]),
        "DeviceDetail": st.fixed_dictionaries({"isManaged": st.sampled_from(["", "true", "false"])}),
        "ResultType": st.sampled_from(["0", "0", "0", "50199"]),
    }
)
LEG = st.builds(lambda at, columns: at | columns, PLACES, COLUMNS)


def _signins(approving: list[dict[str, Any]], redeeming: list[dict[str, Any]], linked: list[dict[str, Any]]) -> SignIns:
    rows = [sign_in(APPROVALS, number, **leg) for number, leg in enumerate(approving)]
    rows += [sign_in(REDEMPTIONS, 10 + number, **leg) for number, leg in enumerate(redeeming)]
    rows += [sign_in(REDEMPTIONS, 20 + number, IsDeviceCode=False, **leg) for number, leg in enumerate(linked)]
    return story(*rows)


SIGNINS = st.builds(
    _signins, st.lists(LEG, min_size=1, max_size=2), st.lists(LEG, max_size=3), st.lists(LEG, max_size=1)
)
REDEEMED = SIGNINS.filter(lambda signins: any(flow.redemptions for flow in signins.flows))
COUNTS = st.sampled_from([0, 1, 3, 9])
HISTORY = st.lists(
    st.builds(
        lambda at, app, days, code, sessions, managed: place(
            at, app_id=app, days=days, device_code_days=code, device_code_sessions=sessions, managed=managed
        ),
        st.sampled_from([OFFICE, HOTEL, TOR]),
        st.sampled_from([KIOSK, AZURE_CLI]),
        st.sampled_from([1, 3, 9]),
        COUNTS,
        COUNTS,
        st.sampled_from([0, 4]),
    ),
    max_size=3,
)
TENANT = st.lists(
    st.builds(AddressUse, ip=st.sampled_from(["192.0.2.10", "203.0.113.66"]), users=COUNTS, days=COUNTS), max_size=2
)
INTEL = st.lists(
    st.builds(
        lambda ip, confidence: listed(ip, confidence).indicators[0],
        st.sampled_from(["192.0.2.10", "203.0.113.66", "198.51.100.7"]),
        st.sampled_from([10, 69, 70, 100]),
    ),
    max_size=2,
)
LURES = st.builds(
    lambda messages, clicks: Lures(messages=tuple(messages), clicks=tuple(clicks)),
    st.lists(
        st.builds(message, st.sampled_from([0.1, 2, 9]), pattern=st.sampled_from(["", "workers-dev"])), max_size=2
    ),
    st.lists(st.builds(click, st.sampled_from([-60, -5, 1, 30]), reached_device_login=st.booleans()), max_size=2),
)
EVIDENCE = st.builds(
    lambda places, tenant, indicators, lures: Evidence(
        usual=UsualPlaces(places=tuple(places), tenant=tuple(tenant)),
        intel=ThreatIntel(indicators=tuple(indicators)),
        lures=lures,
    ),
    HISTORY,
    TENANT,
    INTEL,
    LURES,
)


def with_rows(signins: SignIns, edit: Callable[[SignIn], dict[str, Any]]) -> SignIns:
    return story(*(row.model_copy(update=edit(row)) for row in signins.rows))


@given(signins=SIGNINS, evidence=EVIDENCE, confidence=st.integers(0, 100), data=st.data())
def test_an_indicator_more_never_lowers_the_score(
    signins: SignIns, evidence: Evidence, confidence: int, data: st.DataObject
) -> None:
    assume(signins.addresses)
    more = listed(data.draw(st.sampled_from(signins.addresses)), confidence).indicators
    worse = evidence.model_copy(update={"intel": ThreatIntel(indicators=evidence.intel.indicators + more)})
    assert judged(signins, worse).score >= judged(signins, evidence).score


@given(signins=SIGNINS, evidence=EVIDENCE, minutes=st.integers(-90, 10), reached=st.booleans(), kit=st.booleans())
def test_a_click_more_never_lowers_the_score(
    signins: SignIns, evidence: Evidence, minutes: int, reached: bool, kit: bool
) -> None:
    more = click(minutes, reached_device_login=reached, pattern="workers-dev" if kit else "")
    lures = evidence.lures.model_copy(update={"clicks": (*evidence.lures.clicks, more)})
    assert judged(signins, evidence.model_copy(update={"lures": lures})).score >= judged(signins, evidence).score


@given(signins=SIGNINS, evidence=EVIDENCE, days=st.sampled_from([0.01, 1, 2.9, 3.1]))
def test_a_lure_more_never_lowers_the_score(signins: SignIns, evidence: Evidence, days: float) -> None:
    lures = evidence.lures.model_copy(update={"messages": (*evidence.lures.messages, message(days))})
    assert judged(signins, evidence.model_copy(update={"lures": lures})).score >= judged(signins, evidence).score


@given(signins=SIGNINS, evidence=EVIDENCE, risk=st.sampled_from(list(Risk)))
def test_a_higher_risk_never_lowers_the_score(signins: SignIns, evidence: Evidence, risk: Risk) -> None:
    riskier = with_rows(signins, lambda row: {"risk": max(row.risk, risk, key=lambda one: one.rank)})
    assert judged(riskier, evidence).score >= judged(signins, evidence).score


@given(
    signins=SIGNINS,
    evidence=EVIDENCE,
    kinds=st.lists(st.sampled_from(list(FootholdKind)), max_size=2),
    more=st.sampled_from(list(FootholdKind)),
    at=st.sampled_from([OFFICE, HOTEL, TOR]),
    minutes=st.sampled_from([-30, 0, 30]),
)
def test_a_foothold_more_never_lowers_the_score(
    signins: SignIns,
    evidence: Evidence,
    kinds: list[FootholdKind],
    more: FootholdKind,
    at: dict[str, Any],
    minutes: int,
) -> None:
    held = tuple(foothold(kind, TOR) for kind in kinds)
    before = evidence.model_copy(update={"footholds": Footholds(changes=held)})
    after = evidence.model_copy(update={"footholds": Footholds(changes=(*held, foothold(more, at, minutes)))})
    assert judged(signins, after).score >= judged(signins, before).score


@given(
    signins=SIGNINS, evidence=EVIDENCE, at=st.sampled_from([OFFICE, HOTEL, TOR]), reads=st.integers(0, 3), more=COUNTS
)
def test_a_use_of_the_token_more_never_lowers_the_score(
    signins: SignIns, evidence: Evidence, at: dict[str, Any], reads: int, more: int
) -> None:
    uses = (used(TOR, directory=reads),)
    before = evidence.model_copy(update={"uses": TokenUses(uses=uses)})
    after = evidence.model_copy(update={"uses": TokenUses(uses=(*uses, used(at, content=more)))})
    assert judged(signins, after).score >= judged(signins, before).score


GAPS = [
    "SigninLogs",
    "AADNonInteractiveUserSignInLogs",
    "EmailEvents",
    "UrlClickEvents",
    "SigninLogs (history)",
    "SigninLogs (tenant)",
    "ThreatIntelIndicators",
]


@pytest.mark.parametrize("source", GAPS)
@settings(max_examples=25)
@given(signins=SIGNINS, evidence=EVIDENCE)
def test_a_gap_more_never_lowers_the_score(source: str, signins: SignIns, evidence: Evidence) -> None:
    gap = (Gap(source=source, reason="the workspace has no such table"),)
    for part in ("usual", "lures", "intel"):
        unknown = getattr(evidence, part).model_copy(update={"gaps": gap})
        verdict = judged(signins, evidence.model_copy(update={part: unknown}))
        assert verdict.score >= judged(signins, evidence).score
        assert verdict.gaps == gap


@given(signins=REDEEMED, evidence=EVIDENCE)
def test_a_history_that_is_lost_buys_no_relief(signins: SignIns, evidence: Evidence) -> None:
    lost = UsualPlaces(gaps=(Gap(source="SigninLogs (history)", reason="timed out"),))
    assert not found(judged(signins, evidence.model_copy(update={"usual": lost}))) & RELIEFS


@given(signins=SIGNINS, evidence=EVIDENCE, name=st.text(max_size=9))
def test_no_name_changes_the_verdict(signins: SignIns, evidence: Evidence, name: str) -> None:
    """Whoever signs in chooses them."""

    def rename(row: SignIn) -> dict[str, Any]:
        device = row.device.model_copy(update={"os": name, "browser": name})
        names = ("app_name", "resource_name", "display_name", "city")
        return {"device": device} | dict.fromkeys(names, name)

    renamed, plain = judged(with_rows(signins, rename), evidence), judged(signins, evidence)
    assert (renamed.kind, renamed.score, found(renamed)) == (plain.kind, plain.score, found(plain))


@given(signins=SIGNINS, evidence=EVIDENCE)
def test_nothing_relieves_while_the_redeemer_is_unseen(signins: SignIns, evidence: Evidence) -> None:
    unseen = story(*(row for row in signins.rows if row.table == APPROVALS))
    verdict = judged(unseen, evidence)
    assert not found(verdict) & RELIEFS
    assert ("redeemer-unseen" in found(verdict)) == bool(unseen.completed)


@given(signins=SIGNINS, evidence=EVIDENCE, confidence=st.integers(70, 100), data=st.data())
def test_nothing_relieves_beside_a_hard_fact(
    signins: SignIns, evidence: Evidence, confidence: int, data: st.DataObject
) -> None:
    shown = [ip for ip in signins.addresses if "xxx" not in ip]
    assume(shown)
    intel = listed(data.draw(st.sampled_from(shown)), confidence)
    verdict = judged(signins, evidence.model_copy(update={"intel": intel}))
    assert not found(verdict) & RELIEFS
    assert verdict.score >= POLICY.weights.threat_intel
    assert verdict.kind is not VerdictKind.BENIGN


def test_the_strongest_habit_does_not_clear_a_listed_address() -> None:
    evidence = usual(AT_HOME, tenant=(AddressUse(ip="192.0.2.10", users=9, days=9),))
    assert judged(HABIT, evidence).kind is VerdictKind.BENIGN
    hit = judged(HABIT, evidence.model_copy(update={"intel": listed("192.0.2.10")}))
    assert hit.kind is VerdictKind.SUSPICIOUS
    assert found(hit) == {"threat-intel-address"}


@given(signins=SIGNINS, evidence=EVIDENCE)
def test_without_a_token_there_is_no_activity(signins: SignIns, evidence: Evidence) -> None:
    failed = with_rows(signins, lambda _: {"result": "50199"})
    verdict = judged(failed, evidence)
    assert (verdict.kind, verdict.score, verdict.findings, verdict.last_token) == (VerdictKind.NO_ACTIVITY, 0, (), None)
    assert "none of which issued a token" in verdict.headline
    assert judged(SignIns(), evidence).kind is VerdictKind.NO_ACTIVITY


@given(signins=SIGNINS, evidence=EVIDENCE)
def test_the_score_is_the_sum_and_the_thresholds_name_it(signins: SignIns, evidence: Evidence) -> None:
    verdict = judged(signins, evidence)
    assert verdict.score == max(0, min(100, sum(finding.weight for finding in verdict.findings)))
    if signins.completed:
        limits = [(60, VerdictKind.MALICIOUS), (30, VerdictKind.SUSPICIOUS), (0, VerdictKind.BENIGN)]
        assert verdict.kind is next(kind for limit, kind in limits if verdict.score >= limit)
        assert verdict.last_token is not None
    assert [finding.weight for finding in verdict.findings] == sorted(
        (f.weight for f in verdict.findings), reverse=True
    )


@given(first=SIGNINS, second=SIGNINS, evidence=EVIDENCE)
def test_the_worst_sign_in_is_the_verdict(first: SignIns, second: SignIns, evidence: Evidence) -> None:
    apart = with_rows(second, lambda row: {"session_id": "two", "id": f"two-{row.id}"})
    both = judged(story(*first.rows, *apart.rows), evidence)
    assert both.score == max(judged(first, evidence).score, judged(apart, evidence).score)


@given(signins=SIGNINS, evidence=EVIDENCE, data=st.data())
def test_the_order_of_the_evidence_does_not_matter(signins: SignIns, evidence: Evidence, data: st.DataObject) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(data.draw(st.permutations(items)))

    places, tenant = shuffled(evidence.usual.places), evidence.usual.tenant
    other = Evidence(
        usual=UsualPlaces(places=places, tenant=tenant),
        intel=ThreatIntel(indicators=shuffled(evidence.intel.indicators)),
        lures=Lures(messages=evidence.lures.messages, clicks=shuffled(evidence.lures.clicks)),
    )
    one, two = judged(signins, evidence), judged(signins, other)
    assert (one.kind, one.score, found(one)) == (two.kind, two.score, found(two))


def test_one_strange_row_is_enough_to_keep_a_place_from_clearing() -> None:
    evidence = usual(AT_HOME)
    strange = story(*HABIT.rows, sign_in(REDEMPTIONS, 5, **TOR))
    assert found(judged(HABIT, evidence)) & RELIEFS == {"habitual-device-code", "usual-place"}
    assert not found(judged(strange, evidence)) & {"habitual-device-code", "usual-place"}


def test_a_habit_with_one_app_does_not_relieve_a_token_of_another() -> None:
    """The attacker redeems for one app and refreshes into one that the user knows."""
    evidence = usual(place(HOTEL, days=5, device_code_days=5, device_code_sessions=5, app_id=KIOSK))
    alone = story(sign_in(REDEMPTIONS, 1, **TOR | {"AppId": AZURE_CLI}))
    both = story(*alone.rows, sign_in(REDEMPTIONS, 2, **TOR | {"AppId": KIOSK}))
    assert "device-code-habit-elsewhere" not in found(judged(alone, evidence))
    assert "device-code-habit-elsewhere" not in found(judged(both, evidence))


def test_a_common_address_abroad_does_not_hide_another_country() -> None:
    evidence = usual(place(OFFICE), tenant=(AddressUse(ip=HOTEL["IPAddress"], users=9, days=9),))
    abroad = story(sign_in(REDEMPTIONS, 1, **HOTEL), sign_in(REDEMPTIONS, 2, **TOR))
    assert "new-country" in found(judged(story(sign_in(REDEMPTIONS, 2, **TOR)), evidence))
    assert "new-country" in found(judged(abroad, evidence))


def test_networks_that_are_not_known_are_not_the_same_network() -> None:
    unknown = {"AutonomousSystemNumber": ""}
    assert "legs-apart" in found(judged(approved_and_redeemed(OFFICE, TOR)))
    assert "legs-apart" in found(judged(approved_and_redeemed(OFFICE | unknown, TOR | unknown)))


@pytest.mark.parametrize("redacted", ["203.0.113.xxx", ""])
def test_an_address_that_is_not_shown_is_no_usual_place(redacted: str) -> None:
    here = OFFICE | {"IPAddress": redacted}
    evidence = usual(place(here, days=9, managed=9), tenant=(AddressUse(ip=redacted, users=9, days=9),))
    assert not found(judged(approved_and_redeemed(here, here), evidence)) & (RELIEFS - {"device-code-habit-elsewhere"})


def test_an_unreported_device_is_not_an_unmanaged_one() -> None:
    def device(**detail: Any) -> set[str]:
        return found(judged(approved_and_redeemed(OFFICE, OFFICE, DeviceDetail=detail)))

    assert "unmanaged-device" in device(isManaged=False)
    assert "unmanaged-device" not in device(isManaged="")
    assert "unmanaged-device" not in device(isManaged=False, isCompliant=True)


def test_the_place_of_the_approval_proves_nothing() -> None:
    """The victim's own office approves; only the redeemer's address may clear."""
    verdict = judged(approved_and_redeemed(OFFICE, TOR), usual(AT_HOME))
    assert not found(verdict) & {"usual-place", "habitual-device-code", "managed-device-here", "common-address"}


# Every key of policy.toml: some sample below has to come out differently when it is changed.

SAMPLES: list[tuple[SignIns, Evidence]] = [
    (PHISHED, usual(place(OFFICE)).model_copy(update={"intel": listed(TOR["IPAddress"])})),
    (PHISHED, Evidence(intel=listed(TOR["IPAddress"], 30), lures=Lures(clicks=(click(-10),)))),
    (PHISHED, Evidence(lures=Lures(clicks=(click(1),)))),
    (PHISHED, Evidence(lures=Lures(messages=(message(1),)))),
    (HABIT, Evidence(uses=TokenUses(uses=(used(OFFICE, content=1),)))),
    (HABIT, Evidence(uses=TokenUses(uses=(used(TOR),)))),
    *((HABIT, Evidence(footholds=Footholds(changes=(foothold(kind, OFFICE),)))) for kind in FootholdKind),
    *(
        (approved_and_redeemed(OFFICE, OFFICE, RiskLevelAggregated=risk), Evidence())
        for risk in ("low", "medium", "high")
    ),
    (approved_and_redeemed(OFFICE, OFFICE, DeviceDetail={"isManaged": False}), Evidence()),
    (story(sign_in(APPROVALS, 0, **OFFICE)), Evidence()),
    (HABIT, usual(AT_HOME)),
    (HABIT, usual(place(OFFICE, days=3, device_code_days=3, device_code_sessions=3))),
    (approved_and_redeemed(HOTEL, HOTEL), usual(AT_HOME)),
    (approved_and_redeemed(HOTEL, HOTEL), usual(place(OFFICE, days=9), place(HOTEL, managed=2))),
    (approved_and_redeemed(HOTEL, HOTEL), usual(tenant=(AddressUse(ip=HOTEL["IPAddress"], users=3, days=3),))),
]
OF_THE_ACTIONS = {"usual.history", "correlation.intel_lookback"}
"""How far back the queries look; tried below, where there are queries."""


def numbers() -> list[str]:
    shipped = tomllib.loads((shipped_config() / "policy.toml").read_text())
    return [f"{section}.{key}" for section, keys in shipped.items() for key in keys]


def changed(key: str, value: object) -> Policy | None:
    section, name = key.split(".")
    content = POLICY.model_dump()
    content[section][name] = value
    try:
        return Policy.model_validate(content)
    except ValidationError:
        return None


def outcomes(policy: Policy) -> list[tuple[VerdictKind, int, tuple[tuple[str, int], ...]]]:
    verdicts = [judged(signins, evidence, policy) for signins, evidence in SAMPLES]
    return [(one.kind, one.score, tuple((f.id, f.weight) for f in one.findings)) for one in verdicts]


@pytest.mark.parametrize("key", sorted(set(numbers()) - OF_THE_ACTIONS))
def test_every_number_of_the_policy_counts(key: str) -> None:
    tries = [changed(key, value) for value in (-99, -1, 1, 2, 5, 99, 100, 1000, "0s", "1s", "365d")]
    policies = [policy for policy in tries if policy is not None]
    assert policies
    assert any(outcomes(policy) != outcomes(POLICY) for policy in policies)


def test_the_history_is_as_long_as_the_policy_says() -> None:
    def start(policy: Policy) -> datetime:
        window = Window(start=NOON, end=NOON)
        case = Case(run="r", mode=Mode.LIVE, tenant="lab", who="x", window=window, started=NOON, policy=policy)
        return case.history_start

    shorter = changed("usual.history", "7d")
    assert shorter is not None
    assert (start(POLICY), start(shorter)) == (NOON - timedelta(days=30), NOON - timedelta(days=7))


def test_threat_intelligence_is_read_back_as_far_as_the_policy_says(
    lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    lab()
    text = (shipped_config() / "policy.toml").read_text()
    assert 'intel_lookback = "14d"' in text
    (tmp_path / "policy.toml").write_text(text.replace('intel_lookback = "14d"', 'intel_lookback = "1m"'))
    for config, known in ((shipped_config(), True), (tmp_path, False)):
        answer = respond("--user", VICTIM, "--dry-run", "--json", "--config", str(config))
        assert ("threat-intel-address" in {finding["id"] for finding in answer.json["findings"]}) is known
