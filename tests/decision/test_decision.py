"""The decision: more evidence of guilt never lowers the score, not knowing never clears, and every weight counts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from actions.find_lures import find_lures, is_device_login, kit_pattern, only_pictures
from actions.find_token_use import find_token_use
from actions.find_usual_places import find_usual_places
from actions.know_user import know_user
from actions.match_threat_intel import match_threat_intel
from respond.clients.log_answer import Rows
from respond.clients.logs import Absent
from respond.clients.places import Places
from respond.clients.rows import read_sign_in
from respond.decision.cut import Collected, evidence_at
from respond.decision.verdict import decide, judge_all
from respond.decision.view import View
from respond.models.base import Gap
from respond.models.case import Case, Mode, Window
from respond.models.evidence import (
    Account,
    AccountKind,
    AddressDay,
    AddressUse,
    Click,
    CodeUse,
    EarlierCase,
    EarlierCases,
    Evidence,
    Fact,
    FactKind,
    Foothold,
    FootholdKind,
    Footholds,
    History,
    Indicator,
    Lures,
    Message,
    Part,
    Place,
    SentMail,
    SharedAddresses,
    Standing,
    ThreatIntel,
    TokenUse,
    TokenUses,
    UsualPlaces,
    Visit,
)
from respond.models.flows import join_flows
from respond.models.policy import Policy
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import Risk, SignIn, SignIns
from respond.policies import load_policy
from respond.settings import Sources, load_settings, shipped_config
from respond.step import Process, install
from respond.surveying import judged_episodes

POLICY = load_policy(shipped_config())
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
APPROVALS, REDEMPTIONS = "SigninLogs", "AADNonInteractiveUserSignInLogs"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
KIOSK = "9d000000-0000-4000-8000-000000000001"
OF_THE_HISTORY = {
    "habitual-device-code",
    "device-code-habit-moving",
    "device-code-habit-elsewhere",
    "usual-place",
    "managed-device-here",
}
OF_THE_TENANT = {"common-address", "beside-common-address"}

OFFICE: dict[str, Any] = {"IPAddress": "192.0.2.10", "AutonomousSystemNumber": "64496", "Location": "US"}
HOTEL: dict[str, Any] = {"IPAddress": "198.51.100.7", "AutonomousSystemNumber": "64500", "Location": "DE"}
TOR: dict[str, Any] = {"IPAddress": "203.0.113.66", "AutonomousSystemNumber": "64511", "Location": "NL"}
ENROLLED = {"isManaged": "true", "isCompliant": "true"}


def sign_in(table: str, number: int, **columns: Any) -> SignIn:
    """A successful row of one session, with a device code marker, at `number` minutes past noon."""
    plain = {"At": NOON + timedelta(minutes=number), "Id": f"{table}-{number}", "ResultType": "0", "SessionId": "one"}
    return read_sign_in(plain | {"IsDeviceCode": True, "AppId": KIOSK} | columns, table)


def story(*rows: SignIn) -> SignIns:
    return SignIns(flows=join_flows(rows))


def approved_and_redeemed(approved: dict[str, Any], redeemed: dict[str, Any], **columns: Any) -> SignIns:
    return story(sign_in(APPROVALS, 0, **approved, **columns), sign_in(REDEMPTIONS, 1, **redeemed, **columns))


def place(at: dict[str, Any], **more: Any) -> Place:
    plain = {"app_id": KIOSK, "sign_ins": 9, "days": 1, "device_code_days": 0, "device_code_sessions": 0, "codes": 0}
    where = {"ip": at["IPAddress"], "asn": at["AutonomousSystemNumber"], "country": at["Location"]}
    known: dict[str, Any] = plain | where | {"last": NOON - timedelta(days=1)} | more
    for counted in ("days", "device_code_days", "device_code_sessions", "codes"):
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


def reliefs(verdict: Verdict) -> set[str]:
    return {finding.id for finding in verdict.findings if finding.weight < 0}


PHISHED = approved_and_redeemed(OFFICE, TOR | {"UserAgent": "python-requests/2.32"}, AppId=AZURE_CLI)
HABIT = approved_and_redeemed(OFFICE, OFFICE)
AT_HOME = place(OFFICE, days=9, device_code_days=5, device_code_sessions=5)

START, END = NOON - timedelta(days=1), NOON + timedelta(hours=2)
USER, GROUP = "5e0c9a10-0000-4000-8000-00000000000a", "6f0c9a10-0000-4000-8000-00000000000b"
NEXT_DOOR: dict[str, Any] = OFFICE | {"IPAddress": "192.0.2.11"}
RENTED: dict[str, Any] = {"IPAddress": "198.51.100.99", "AutonomousSystemNumber": "24940", "Location": "DE"}
TEAMS = "1fec8e78-bce4-4aaf-ab1b-5451cc387264"
HERE = [OFFICE, NEXT_DOOR, HOTEL, TOR, RENTED]
ADDRESSES = [at["IPAddress"] for at in HERE]
SESSIONS = ["one", "two", "three"]
BY_ADDRESS = "http://203.0.113.66/login"
"""A lure whose host is an address."""


# Whatever sign-ins may look like: up to three of one user, each with its rows; some that only an interrupt hints at.

KNOWN = st.fixed_dictionaries(
    {
        "AppId": st.sampled_from([KIOSK, AZURE_CLI, TEAMS]),
        "RiskLevelAggregated": st.sampled_from(["", "none", "none", "low", "medium", "high"]),
        "UserAgent": st.sampled_from(["", "Mozilla/5.0", "python-requests/2.32"]),
        "DeviceDetail": st.sampled_from(
            [{}, {"isManaged": "true"}, {"isManaged": "true", "isCompliant": "true"}, {"isManaged": "false"}]
        ),
        "NetworkLocationDetails": st.sampled_from(["", "", "trustedNamedLocation"]),
        "ResultType": st.sampled_from(["0", "0", "0", "0", "0", "50199"]),
    }
)
UNKNOWN = [HOTEL | {"Location": ""}, TOR | {"IPAddress": "203.0.113.xxx"}, TOR | {"IPAddress": ""}]
WHERE = st.sampled_from([*HERE, *HERE, *UNKNOWN])
ROW = st.builds(lambda at, columns: at | columns, WHERE, KNOWN)


def flow_rows(
    number: int,
    approval: dict[str, Any] | None,
    redemptions: Sequence[dict[str, Any]],
    linked: Sequence[dict[str, Any]],
    *,
    marked: bool,
    hour: int,
) -> list[SignIn]:
    """The rows of one sign-in; of an unmarked one, the interrupt and what shares its CorrelationId."""
    known = {"UserId": USER, "SessionId": SESSIONS[number], "UniqueTokenIdentifier": f"token-{number}"}
    ours = known | {"CorrelationId": f"c-{number}", "IsDeviceCode": marked}
    start = 60 * hour + 10 * number

    def row(table: str, minutes: int, at: dict[str, Any], **more: Any) -> SignIn:
        return sign_in(table, start + minutes, **ours | at | {"Id": f"{number}-{table}-{minutes}"} | more)

    rows = [row(APPROVALS, 0, approval or OFFICE, ResultType="50199")] if not marked else []
    rows += [row(APPROVALS, 1, approval)] if approval else []
    rows += [row(REDEMPTIONS, 2 + index, at) for index, at in enumerate(redemptions)]
    apart = {"CorrelationId": f"later-{number}", "IsDeviceCode": False}
    return rows + [row(REDEMPTIONS, 6 + index, at, **apart) for index, at in enumerate(linked)]


FLOW = st.fixed_dictionaries(
    {
        "approval": st.none() | ROW,
        "redemptions": st.lists(ROW, max_size=2),
        "linked": st.lists(ROW, max_size=1),
        "marked": st.sampled_from([True, True, False]),
        "hour": st.sampled_from([0, 0, -9]),
    }
)
NO_APPROVALS = Gap(source="SigninLogs", reason="the workspace has no table named SigninLogs")


def signins_of(flows: Sequence[dict[str, Any]], *, half_blind: bool = False) -> SignIns:
    found = story(*(row for number, flow in enumerate(flows) for row in flow_rows(number, **flow)))
    return found.model_copy(update={"gaps": (NO_APPROVALS,)}) if half_blind else found


SEVERAL = st.builds(
    signins_of, st.lists(FLOW, min_size=1, max_size=3), half_blind=st.sampled_from([False, False, False, True])
)

SIGNINS = FLOW.filter(lambda flow: flow["marked"]).map(lambda flow: signins_of([flow]))
REDEEMED = SIGNINS.filter(lambda signins: any(flow.redemptions for flow in signins.flows))
COUNTS = st.sampled_from([0, 1, 3, 9])

# Parts of the evidence, each whole, or with a gap and whatever came.

GAPS = st.sampled_from([(), (), (), (Gap(source="a table", reason="timed out"),)])
UNREAD = st.sampled_from([False, False, False, True])


def regular(
    at: dict[str, Any], app: str, days: int, *, code: bool, session: str = "", managed: bool = False, own: bool = False
) -> list[Visit]:
    """One visit a day."""
    where = {"ip": at["IPAddress"], "asn": at["AutonomousSystemNumber"], "country": at["Location"], "app_id": app}
    found = []
    for day in range(1, days + 1):
        first = NOON.replace(hour=9) - timedelta(days=day)
        known = {"first": first, "last": first.replace(hour=17), "sign_ins": 2, "is_device_code": code}
        codes = frozenset({f"code-{day}"} if code and own else ())
        more = {"session": session or f"{app}-{day}", "first_managed": first if managed else None, "codes": codes}
        found.append(Visit.model_validate(where | known | more))
    return found


VISITS = st.lists(
    st.builds(
        regular,
        st.sampled_from(HERE),
        st.sampled_from([KIOSK, AZURE_CLI, TEAMS]),
        st.sampled_from([1, 2, 3, 10]),
        code=st.booleans(),
        managed=st.booleans(),
        own=st.booleans(),
        session=st.sampled_from(["", "", "old", "one"]),
    ),
    max_size=3,
).map(lambda bundles: tuple(visit for bundle in bundles for visit in bundle))
HISTORIES = st.builds(History, visits=VISITS, unread=UNREAD, gaps=GAPS)


def busy(ip: str, days: int, users: int, *, by_code: bool) -> list[AddressDay]:
    """So many other users on so many days; those of device codes today."""
    who = frozenset(f"user-{number}" for number in range(users))
    first = NOON.replace(hour=0) - timedelta(days=0 if by_code else 1)
    return [AddressDay(ip=ip, day=first - timedelta(days=day), users=who, by_code=by_code) for day in range(days)]


SHARED = st.builds(
    lambda bundles, unread, gaps: SharedAddresses(days=tuple(chain.from_iterable(bundles)), unread=unread, gaps=gaps),
    st.lists(
        st.builds(
            busy,
            st.sampled_from(ADDRESSES),
            st.sampled_from([1, 3]),
            st.sampled_from([1, 3]),
            by_code=st.sampled_from([False, False, True]),
        ),
        max_size=3,
    ),
    UNREAD,
    GAPS,
)
INDICATORS = st.builds(
    lambda value, confidence: listed(value, confidence).indicators[0],
    st.sampled_from([*ADDRESSES, "203.0.113.0/24"]),
    st.sampled_from([10, 69, 70, 100]),
)
LISTED = st.builds(ThreatIntel, indicators=st.lists(INDICATORS, max_size=2).map(tuple), gaps=GAPS)
LURE_INDICATORS = st.builds(
    lambda value, confidence: listed(value, confidence).indicators[0],
    st.sampled_from(["evil.example", "https://evil.example/x", "203.0.113.66", "other.example"]),
    st.sampled_from([10, 70, 100]),
)
LURE_INTEL = st.builds(ThreatIntel, indicators=st.lists(LURE_INDICATORS, max_size=2).map(tuple), gaps=GAPS)
MESSAGES = st.builds(
    message,
    st.sampled_from([0.01, 0.1, 2, 9]),
    pattern=st.sampled_from(["", "workers-dev"]),
    first_contact=st.sampled_from([None, False, True]),
    device_login=st.booleans(),
    threats=st.sampled_from(["", "Phish"]),
    urls=st.sampled_from([("https://evil.example/x",), (BY_ADDRESS,), ("https://other.example/",)]),
)
CLICKS = st.builds(
    click,
    st.sampled_from([-60, -5, 1, 30]),
    url=st.sampled_from(["https://evil.example/x", BY_ADDRESS, "https://safe.example"]),
    reached_device_login=st.booleans(),
    pattern=st.sampled_from(["", "workers-dev"]),
)
ALL_LURES = st.builds(
    Lures,
    messages=st.lists(MESSAGES, max_size=2).map(tuple),
    clicks=st.lists(CLICKS, max_size=2).map(tuple),
    gaps=GAPS,
)
FOOTHOLDS = st.builds(
    Footholds,
    changes=st.lists(
        st.builds(
            lambda kind, at, minutes, session: foothold(kind, at, minutes).model_copy(update={"session": session}),
            st.sampled_from(list(FootholdKind)),
            st.sampled_from(HERE),
            st.sampled_from([-30, 30]),
            st.sampled_from(["", *SESSIONS]),
        ),
        max_size=2,
    ).map(tuple),
    gaps=GAPS,
)
USES = st.builds(
    TokenUses,
    uses=st.lists(
        st.builds(
            used,
            st.sampled_from(HERE),
            directory=st.integers(0, 1),
            content=st.integers(0, 1),
            sensitive=st.integers(0, 1),
            session=st.sampled_from(["", *SESSIONS]),
            token=st.sampled_from(["", "token-0", "token-1"]),
        ),
        max_size=2,
    ).map(tuple),
    gaps=GAPS,
)
STANDINGS = st.builds(
    Standing,
    roles=st.sampled_from([(), (), ("Global Administrator",)]),
    groups=st.sampled_from([(), (GROUP,)]),
    is_service=st.sampled_from([False, False, True]),
    risk=st.sampled_from(list(Risk)),
    risk_state=st.sampled_from(["", "none", "atRisk", "confirmedCompromised", "dismissed", "confirmedSafe"]),
    risk_at=st.none() | st.sampled_from([-600, 0, 60]).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    gaps=GAPS,
)
FACTS = st.sampled_from(
    [
        Fact(kind=FactKind.ADDRESS, value=TOR["IPAddress"]),
        Fact(kind=FactKind.ADDRESS, value=OFFICE["IPAddress"]),
        Fact(kind=FactKind.NETWORK, value=HOTEL["AutonomousSystemNumber"]),
        Fact(kind=FactKind.USER, value=USER),
        Fact(kind=FactKind.LURE, value="evil.example"),
    ]
)


def earlier(fact: Fact, verdict: str = "malicious") -> EarlierCase:
    return EarlierCase(case="DC-EARLIER", verdict=verdict, at=START, upn="other.user@contoso.com", fact=fact)


EARLIER = st.builds(
    EarlierCases,
    cases=st.lists(
        st.builds(earlier, FACTS, st.sampled_from(["malicious", "malicious", "suspicious"])), max_size=2
    ).map(tuple),
    gaps=GAPS,
)
COLLECTED = st.builds(
    Collected,
    lures=ALL_LURES,
    history=HISTORIES,
    shared=SHARED,
    intel=LISTED,
    lure_intel=LURE_INTEL,
    uses=USES,
    footholds=FOOTHOLDS,
    standing=STANDINGS,
    earlier=EARLIER,
)
EVERYWHERE = story(*(sign_in(REDEMPTIONS, number, UserId=USER, **at) for number, at in enumerate(HERE)))
EVIDENCE = COLLECTED.map(lambda collected: evidence_at(EVERYWHERE, collected, POLICY, START, END))

# Policies: the shipped one, and whatever its limits allow.


def policy_with(
    weights: Sequence[int], reliefs: Sequence[int], malicious: int, below: int, accounts: dict[str, Any]
) -> Policy:
    content = POLICY.model_dump()
    content["weights"] = dict(zip(content["weights"], weights, strict=True))
    content["reliefs"] = dict(zip(content["reliefs"], reliefs, strict=True))
    content["thresholds"] = {"malicious": malicious, "suspicious": max(1, malicious - below)}
    return Policy.model_validate(content | {"accounts": accounts})


WEIGHT = st.sampled_from([0, 5, 15, 30, 60, 100])
RELIEF = st.sampled_from([0, -5, -20, -40, -100])
ACCOUNTS = st.sampled_from([{}, {}, {"rooms": (USER,)}, {"device_groups": (GROUP,)}])
ODD = st.builds(
    policy_with,
    st.tuples(*(WEIGHT for _ in POLICY.weights.model_dump())),
    st.tuples(*(RELIEF for _ in POLICY.reliefs.model_dump())),
    st.sampled_from([2, 20, 60, 100]),
    st.sampled_from([1, 10, 30, 99]),
    ACCOUNTS,
)
NEAR = st.builds(
    lambda malicious, below, accounts: POLICY.model_copy(
        update={
            "thresholds": POLICY.thresholds.model_copy(
                update={"malicious": malicious, "suspicious": max(1, malicious - below)}
            ),
            "accounts": POLICY.accounts.model_copy(update=accounts),
        }
    ),
    st.sampled_from([20, 40, 60, 80]),
    st.sampled_from([5, 30]),
    ACCOUNTS,
)
POLICIES = st.just(POLICY) | NEAR | ODD


def with_rows(signins: SignIns, edit: Callable[[SignIn], dict[str, Any]]) -> SignIns:
    return story(*(row.model_copy(update=edit(row)) for row in signins.rows))


# More evidence of guilt never lowers the score.


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
    more=st.sampled_from(list(FootholdKind)),
    at=st.sampled_from(HERE),
    minutes=st.sampled_from([-30, 0, 30]),
)
def test_a_foothold_more_never_lowers_the_score(
    signins: SignIns, evidence: Evidence, more: FootholdKind, at: dict[str, Any], minutes: int
) -> None:
    held = evidence.footholds.changes
    after = evidence.model_copy(update={"footholds": Footholds(changes=(*held, foothold(more, at, minutes)))})
    assert judged(signins, after).score >= judged(signins, evidence).score


@given(signins=SIGNINS, evidence=EVIDENCE, at=st.sampled_from(HERE), reads=COUNTS, searches=COUNTS)
def test_a_use_of_the_token_more_never_lowers_the_score(
    signins: SignIns, evidence: Evidence, at: dict[str, Any], reads: int, searches: int
) -> None:
    uses = (*evidence.uses.uses, used(at, content=reads, sensitive=searches))
    after = evidence.model_copy(update={"uses": TokenUses(uses=uses)})
    assert judged(signins, after).score >= judged(signins, evidence).score


Edit = Callable[[Collected], Collected]


def one_more(part: Part, name: str, item: object) -> Edit:
    """The same evidence, with one more in a list of one part."""
    field = part.name.lower()

    def edit(collected: Collected) -> Collected:
        before = getattr(collected, field)
        after = type(before).model_validate(dict(before) | {name: (*getattr(before, name), item)})
        return collected.model_copy(update={field: after})

    return edit


def riskier(risk: Risk) -> Edit:
    """What Identity Protection says now, after every approval: at risk, and no less than before."""

    def edit(collected: Collected) -> Collected:
        before = collected.standing or Standing()
        worst = max(before.risk, risk, key=lambda one: one.rank)
        state = {"risk": worst, "risk_state": "atRisk", "risk_at": END}
        return collected.model_copy(update={"standing": before.model_copy(update=state)})

    return edit


TODAY = NOON.replace(hour=0)
MORE: dict[str, st.SearchStrategy[Edit]] = {
    "use of the token": USES.map(lambda part: part.uses)
    .filter(bool)
    .map(lambda uses: one_more(Part.USES, "uses", uses[0])),
    "message": MESSAGES.map(lambda item: one_more(Part.LURES, "messages", item)),
    "click": CLICKS.map(lambda item: one_more(Part.LURES, "clicks", item)),
    "indicator on a lure": LURE_INDICATORS.map(lambda item: one_more(Part.LURE_INTEL, "indicators", item)),
    "code of another user": st.sampled_from(ADDRESSES).map(
        lambda ip: one_more(Part.SHARED, "days", AddressDay(ip=ip, day=TODAY, users=frozenset({"other"}), by_code=True))
    ),
    "earlier malicious case": FACTS.map(lambda fact: one_more(Part.EARLIER, "cases", earlier(fact))),
    "role": st.just(one_more(Part.STANDING, "roles", "Global Reader")),
    "risk of the user": st.sampled_from([Risk.LOW, Risk.MEDIUM, Risk.HIGH]).map(riskier),
}
RANK = (VerdictKind.NO_ACTIVITY, VerdictKind.BENIGN, VerdictKind.SUSPICIOUS, VerdictKind.MALICIOUS)


@pytest.mark.parametrize("what", MORE)
@given(signins=SEVERAL, collected=COLLECTED, data=st.data())
def test_one_more_sign_of_an_attack_never_makes_anything_milder(
    what: str, signins: SignIns, collected: Collected, data: st.DataObject
) -> None:
    more = data.draw(MORE[what])(collected)
    before, after = (evidence_at(signins, one, POLICY, START, END) for one in (collected, more))
    pairs = zip(judge_all(POLICY, signins, before), judge_all(POLICY, signins, after), strict=True)
    assert all(old.score <= new.score and RANK.index(old.kind) <= RANK.index(new.kind) for old, new in pairs)


# Not knowing never clears.

GAP = Gap(source="a table", reason="the workspace has no such table")


@pytest.mark.parametrize("part", Part)
@given(signins=SEVERAL, collected=COLLECTED)
def test_a_gap_in_any_part_never_lowers_the_score(part: Part, signins: SignIns, collected: Collected) -> None:
    name = part.name.lower()
    answer = getattr(collected, name)
    unread = {"unread": True} if part in (Part.HISTORY, Part.SHARED) else {}
    broken = collected.model_copy(update={name: answer.model_copy(update={"gaps": (GAP,), **unread})})
    before, after = (evidence_at(signins, one, POLICY, START, END) for one in (collected, broken))
    pairs = zip(judge_all(POLICY, signins, before), judge_all(POLICY, signins, after), strict=True)
    assert all(new.score >= old.score for old, new in pairs)
    assert GAP in judged(signins, after).gaps


@pytest.mark.parametrize("table", [APPROVALS, REDEMPTIONS])
@given(signins=SIGNINS, evidence=EVIDENCE)
def test_a_gap_of_the_hunt_never_lowers_the_score(table: str, signins: SignIns, evidence: Evidence) -> None:
    gap = Gap(source=table, reason="the workspace has no such table")
    verdict = judged(signins.model_copy(update={"gaps": (gap,)}), evidence)
    assert verdict.score >= judged(signins, evidence).score
    assert gap in verdict.gaps


NOTHING: dict[Part, History | SharedAddresses] = {Part.HISTORY: History(), Part.SHARED: SharedAddresses()}


@pytest.mark.parametrize("part", NOTHING)
@given(signins=SEVERAL, collected=COLLECTED)
def test_what_is_unread_is_judged_no_milder_than_what_is_empty(
    part: Part, signins: SignIns, collected: Collected
) -> None:
    """It may ask a person instead of acting; it may not let anything pass."""
    name, empty = part.name.lower(), NOTHING[part]
    unread = empty.model_copy(update={"unread": True})
    read, lost = (collected.model_copy(update={name: one}) for one in (empty, unread))
    before, after = (evidence_at(signins, one, POLICY, START, END) for one in (read, lost))
    pairs = zip(judge_all(POLICY, signins, before), judge_all(POLICY, signins, after), strict=True)
    assert all(old.is_benign or not new.is_benign for old, new in pairs)


@pytest.mark.parametrize("part", NOTHING)
@given(signins=SEVERAL, collected=COLLECTED, partial=st.booleans())
def test_what_is_malicious_on_an_unread_part_is_so_whatever_it_holds(
    part: Part, signins: SignIns, collected: Collected, partial: bool
) -> None:
    """Malicious acts alone, so it must not stand on what is not known."""
    name = part.name.lower()
    known = getattr(collected, name).model_copy(update={"unread": False})
    unread = (known if partial else NOTHING[part]).model_copy(update={"unread": True})
    read, lost = (collected.model_copy(update={name: one}) for one in (known, unread))
    before, after = (evidence_at(signins, one, POLICY, START, END) for one in (read, lost))
    pairs = zip(judge_all(POLICY, signins, before), judge_all(POLICY, signins, after), strict=True)
    assert all(old.kind is VerdictKind.MALICIOUS for old, new in pairs if new.kind is VerdictKind.MALICIOUS)


def test_what_is_unread_makes_no_attack_of_an_interrupted_sign_in() -> None:
    """Another network redeemed, and nobody knows whether it is the user's own: that hints at a device code, no more."""
    risky = {"RiskLevelAggregated": "high", "AppId": AZURE_CLI, "UserAgent": "python-requests/2.32"}
    hinted = {"approval": OFFICE | risky, "redemptions": [], "linked": [TOR], "marked": False, "hour": 0}
    signins = signins_of([hinted])
    sure = Evidence(
        lures=Lures(messages=(message(0.01),)),
        uses=TokenUses(uses=(used(OFFICE, content=1, sensitive=1),)),
        standing=Standing(roles=("Global Administrator",)),
    )
    own, unread = usual(place(TOR, days=9)).usual, UsualPlaces(history_unread=True)
    assert judged(signins, sure.model_copy(update={"usual": own})).kind is VerdictKind.NO_ACTIVITY
    asked = judged(signins, sure.model_copy(update={"usual": unread}))
    assert asked.score >= POLICY.thresholds.malicious
    assert asked.kind is VerdictKind.SUSPICIOUS


@given(policy=POLICIES, signins=SEVERAL, collected=COLLECTED)
def test_what_nobody_can_clear_is_never_benign(policy: Policy, signins: SignIns, collected: Collected) -> None:
    """An unseen redeemer, unread approvals, an unread history, a high risk: whatever speaks for it."""
    evidence = evidence_at(signins, collected, policy, START, END)
    for one in judge_all(policy, signins, evidence):
        view = View(one.flow, evidence, policy)
        blind = bool(signins.gaps) or evidence.usual.history_unread or not view.redeemer_seen
        if one.flow.is_marked and (blind or view.risk is Risk.HIGH):
            assert not one.is_benign


@pytest.mark.parametrize(
    ("gaps", "unread"), [((), False), ((NO_APPROVALS,), False), ((), True)], ids=["all read", "approvals", "history"]
)
def test_the_strongest_habit_is_benign_only_where_everything_that_could_speak_against_it_was_read(
    gaps: tuple[Gap, ...], unread: bool
) -> None:
    verdict = judged(HABIT.model_copy(update={"gaps": gaps}), usual(AT_HOME, history_unread=unread))
    assert verdict.kind is (VerdictKind.SUSPICIOUS if gaps or unread else VerdictKind.BENIGN)


def test_a_hint_in_a_tenant_without_sign_in_tables_asks_for_a_person() -> None:
    """Neither table could have marked a device code, so that none is marked says nothing."""
    hinted = {"approval": OFFICE, "redemptions": [], "linked": [], "marked": False, "hour": 0}
    signins = signins_of([hinted])
    blind = signins.model_copy(update={"gaps": (NO_APPROVALS, Gap(source=REDEMPTIONS, reason="no such table"))})
    assert judged(signins).kind is VerdictKind.NO_ACTIVITY
    assert judged(signins.model_copy(update={"gaps": (NO_APPROVALS,)})).kind is VerdictKind.NO_ACTIVITY
    assert judged(blind).kind is VerdictKind.SUSPICIOUS


def test_a_score_at_a_threshold_has_reached_it() -> None:
    signins, lured = approved_and_redeemed(OFFICE, TOR), Evidence(lures=Lures(messages=(message(1),)))
    score = judged(signins, lured).score
    assert POLICY.caps.circumstances < score < 100

    def kind(**limits: int) -> VerdictKind:
        thresholds = POLICY.thresholds.model_copy(update={"suspicious": 1, "malicious": 100} | limits)
        return judged(signins, lured, POLICY.model_copy(update={"thresholds": thresholds})).kind

    assert kind(malicious=score) is VerdictKind.MALICIOUS
    assert kind(malicious=score + 1) is VerdictKind.SUSPICIOUS
    assert kind(suspicious=score) is VerdictKind.SUSPICIOUS
    assert kind(suspicious=score + 1) is VerdictKind.BENIGN


def test_a_place_is_usual_and_an_address_common_after_the_days_and_users_of_the_policy() -> None:
    limits, ip = POLICY.usual, OFFICE["IPAddress"]

    def at(days: int, **others: int) -> View:
        tenant = (AddressUse(ip=ip, users=others["users"], days=others["common_days"]),) if others else ()
        return View(HABIT.flows[0], usual(place(OFFICE, days=days), tenant=tenant), POLICY)

    assert at(limits.place_days).is_usual(ip)
    assert not at(limits.place_days - 1).is_usual(ip)
    assert at(1, users=limits.common_users, common_days=limits.common_days).is_common(ip)
    assert not at(1, users=limits.common_users - 1, common_days=limits.common_days).is_common(ip)
    assert not at(1, users=limits.common_users, common_days=limits.common_days - 1).is_common(ip)


def test_a_room_at_its_usual_place_is_not_benign_with_a_high_risk() -> None:
    """Every relief at once takes away more than a hundred points."""
    here = OFFICE | {"AppId": TEAMS, "NetworkLocationDetails": "trustedNamedLocation"}
    policy = POLICY.model_copy(update={"accounts": POLICY.accounts.model_copy(update={"rooms": (USER,)})})
    evidence = usual(
        place(OFFICE, app_id=TEAMS, days=9, device_code_days=9, device_code_sessions=9),
        tenant=(AddressUse(ip=OFFICE["IPAddress"], users=9, days=9),),
    )
    calm, risky = (
        judged(approved_and_redeemed(here, here, UserId=USER, RiskLevelAggregated=risk), evidence, policy)
        for risk in ("none", "high")
    )
    assert sum(finding.weight for finding in calm.findings if finding.weight < 0) < -100
    assert calm.kind is VerdictKind.BENIGN
    assert risky.kind is VerdictKind.SUSPICIOUS


@given(signins=REDEEMED, evidence=EVIDENCE)
def test_what_is_lost_buys_no_relief(signins: SignIns, evidence: Evidence) -> None:
    lost = UsualPlaces(history_unread=True, tenant_unread=True, gaps=(GAP,))
    verdict = judged(signins, evidence.model_copy(update={"usual": lost}))
    assert not found(verdict) & (OF_THE_HISTORY | OF_THE_TENANT)


# What does not matter, and what does.


@given(signins=SEVERAL, evidence=EVIDENCE, name=st.text(max_size=9))
def test_no_name_changes_the_verdict(signins: SignIns, evidence: Evidence, name: str) -> None:
    """Whoever signs in, writes or registers chooses them."""

    def rename(row: SignIn) -> dict[str, Any]:
        device = row.device.model_copy(update={"os": name, "browser": name, "trust": name})
        names = ("app_name", "resource_name", "display_name", "city", "upn", "user_type")
        return {"device": device} | dict.fromkeys(names, name)

    def renamed(part: str, items: str, *names: str) -> dict[str, Any]:
        whole = getattr(evidence, part)
        changed = tuple(one.model_copy(update=dict.fromkeys(names, name)) for one in getattr(whole, items))
        return {part: whole.model_copy(update={items: changed})}

    roles = tuple(name for _ in evidence.standing.roles)
    lures = evidence.lures.model_copy(
        update={
            "messages": tuple(
                one.model_copy(update={"sender": name, "sender_domain": name, "subject": name})
                for one in evidence.lures.messages
            )
        }
    )
    other = evidence.model_copy(
        update={"standing": evidence.standing.model_copy(update={"roles": roles}), "lures": lures}
        | renamed("intel", "indicators", "description", "tags")
        | renamed("footholds", "changes", "what")
        | renamed("uses", "uses", "user_agent")
        | renamed("earlier", "cases", "case", "upn")
    )
    networks = tuple(network.model_copy(update={"name": name}) for network in POLICY.hosting_networks)
    policy = POLICY.model_copy(update={"hosting_networks": networks})
    one = judged(with_rows(signins, rename), other, policy)
    two = judged(story(*signins.rows), evidence)
    assert (one.kind, one.score, found(one)) == (two.kind, two.score, found(two))


@given(signins=SIGNINS, evidence=EVIDENCE)
def test_nothing_relieves_while_the_redeemer_is_unseen(signins: SignIns, evidence: Evidence) -> None:
    unseen = story(*(row for row in signins.rows if row.table == APPROVALS))
    verdict = judged(unseen, evidence)
    assert not reliefs(verdict)
    assert ("redeemer-unseen" in found(verdict)) == bool(unseen.completed)


@given(signins=SIGNINS, evidence=EVIDENCE, confidence=st.integers(70, 100), data=st.data())
def test_nothing_relieves_beside_a_hard_fact(
    signins: SignIns, evidence: Evidence, confidence: int, data: st.DataObject
) -> None:
    shown = [ip for ip in signins.addresses if "xxx" not in ip]
    assume(shown)
    intel = listed(data.draw(st.sampled_from(shown)), confidence)
    verdict = judged(signins, evidence.model_copy(update={"intel": intel}))
    assert not reliefs(verdict)
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
    assume(any(flow.is_marked for flow in signins.flows))
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
        named = next(kind for limit, kind in limits if verdict.score >= limit)
        held_back = named is VerdictKind.MALICIOUS and "held-back" in found(verdict)
        asked = held_back or found(verdict) & {"cannot-be-cleared", "contradiction"}
        assert verdict.kind is (VerdictKind.SUSPICIOUS if asked else named)
        assert not held_back or evidence.unread
        assert verdict.last_token is not None
    assert [finding.weight for finding in verdict.findings] == sorted(
        (f.weight for f in verdict.findings), reverse=True
    )


@given(first=SIGNINS, second=SIGNINS, evidence=EVIDENCE)
def test_the_worst_sign_in_is_the_verdict(first: SignIns, second: SignIns, evidence: Evidence) -> None:
    def moved(row: SignIn) -> dict[str, Any]:
        names = ("session_id", "correlation_id", "token_id", "id")
        return {name: f"two-{getattr(row, name)}" for name in names}

    apart = with_rows(second, moved)
    both = judged(story(*first.rows, *apart.rows), evidence)
    alone = [(RANK.index(one.kind), one.score) for one in (judged(first, evidence), judged(apart, evidence))]
    assert (RANK.index(both.kind), both.score) == max(alone)


@given(signins=SEVERAL, evidence=EVIDENCE, data=st.data())
def test_the_order_of_the_evidence_does_not_matter(signins: SignIns, evidence: Evidence, data: st.DataObject) -> None:
    lists = {
        "usual": ("places", "tied", "tenant"),
        "intel": ("indicators",),
        "lures": ("messages", "clicks"),
        "uses": ("uses",),
        "footholds": ("changes",),
        "earlier": ("cases",),
        "standing": ("roles", "groups"),
    }
    other = evidence
    for part, names in lists.items():
        whole = getattr(evidence, part)
        mixed = {name: tuple(data.draw(st.permutations(getattr(whole, name)))) for name in names}
        other = other.model_copy(update={part: whole.model_copy(update=mixed)})
    one, two = judged(signins, evidence), judged(signins, other)
    assert (one.kind, one.score, found(one)) == (two.kind, two.score, found(two))


def test_one_strange_row_is_enough_to_keep_a_place_from_clearing() -> None:
    evidence = usual(AT_HOME)
    strange = story(*HABIT.rows, sign_in(REDEMPTIONS, 5, **TOR))
    assert reliefs(judged(HABIT, evidence)) == {"habitual-device-code", "usual-place"}
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
    assert not reliefs(judged(approved_and_redeemed(here, here), evidence)) - {"device-code-habit-elsewhere"}


def test_a_network_whose_addresses_the_users_codes_change_is_not_new() -> None:
    """A developer's rented workspace has another address every time; three codes make a habit, two do not."""
    rented = [RENTED | {"IPAddress": f"198.51.100.{number}"} for number in (30, 31, 32)]

    def known(count: int) -> Evidence:
        lone = (
            place(at, days=0).model_copy(
                update={"device_code_days": frozenset({str(number)}), "device_code_sessions": frozenset({str(number)})}
            )
            for number, at in enumerate(rented[:count])
        )
        return usual(place(OFFICE, days=9), *lone)

    today = approved_and_redeemed(OFFICE, RENTED)
    assert "new-network" in found(judged(today, known(2)))
    assert not found(judged(today, known(3))) & {"new-network", "new-country", "other-address"}
    assert reliefs(judged(today, known(3))) == {"device-code-habit-moving"}


def test_a_strange_machine_in_the_cloud_of_the_users_own_is_named() -> None:
    own = place(RENTED | {"IPAddress": "198.51.100.30"}, days=5, device_code_days=5, device_code_sessions=5)
    assert "other-address" in found(judged(approved_and_redeemed(OFFICE, RENTED), usual(own, place(OFFICE, days=9))))


@pytest.mark.parametrize(
    ("followed", "mail", "astray"),
    [
        ({}, {"first_contact": False, "pattern": ""}, True),
        ({"url": "https://microsoft.com/devicelogin"}, {"first_contact": False, "pattern": ""}, False),
        ({"url": "https://microsoft.com/devicelogin"}, {"first_contact": True, "pattern": ""}, True),
        ({"reached_device_login": False}, {"first_contact": True, "pattern": ""}, False),
    ],
    ids=["by a detour", "a colleague's link", "a stranger's link", "no code page"],
)
def test_a_lure_and_a_redeemer_elsewhere_are_more_than_their_sum(
    followed: dict[str, Any], mail: dict[str, Any], astray: bool
) -> None:
    """Somebody who uses device codes every week is phished as well."""
    lures = Lures(clicks=(click(-5, **followed),), messages=(message(2, **mail),))
    evidence = usual(AT_HOME).model_copy(update={"lures": lures})
    apart, together = (judged(approved_and_redeemed(OFFICE, at), evidence) for at in (TOR, OFFICE))
    assert ("lure-redeemed-elsewhere" in found(apart)) == astray
    assert "lure-redeemed-elsewhere" not in found(together)


@pytest.mark.parametrize(("days", "stranger", "whole"), [(0.05, True, True), (0.05, False, False), (1, True, False)])
def test_a_strangers_link_to_the_code_page_needs_no_click(days: float, stranger: bool, whole: bool) -> None:
    """Teams on a phone leaves none. A message of yesterday is another matter: a code lives for minutes."""
    told = message(days, pattern="", device_login=True, first_contact=stranger)
    evidence = usual(AT_HOME).model_copy(update={"lures": Lures(messages=(told,))})
    assert ("lure-redeemed-elsewhere" in found(judged(approved_and_redeemed(OFFICE, TOR), evidence))) == whole


def test_an_address_where_one_code_was_refreshed_for_days_is_neither_new_nor_the_users_own() -> None:
    def lone(days: int) -> Evidence:
        return usual(place(OFFICE, days=9), place(TOR, days=0, device_code_days=days, device_code_sessions=1))

    today = approved_and_redeemed(OFFICE, TOR)
    assert "new-network" in found(judged(today, lone(2)))
    assert "new-network" not in found(judged(today, lone(9)))
    assert "legs-apart" in found(judged(today, lone(9)))
    assert not reliefs(judged(today, lone(9)))


@pytest.mark.parametrize(
    ("approving", "redeeming", "after", "relieved"),
    [
        ({}, {}, ENROLLED, True),
        (ENROLLED, {}, {}, False),
        ({}, {}, {"isManaged": "true"}, False),
        ({}, ENROLLED, None, False),
    ],
    ids=["enrolled in between", "the browser that approved", "managed, not compliant", "another address as well"],
)
def test_an_enrolled_device_relieves_where_it_holds_the_token(
    approving: dict[str, Any], redeeming: dict[str, Any], after: dict[str, Any] | None, relieved: bool
) -> None:
    rows = [
        sign_in(APPROVALS, 0, **OFFICE, DeviceDetail=approving),
        sign_in(REDEMPTIONS, 1, **TOR, DeviceDetail=redeeming),
        sign_in(REDEMPTIONS, 5, **(HOTEL if after is None else TOR), DeviceDetail=after or {}),
    ]
    assert ("managed-holder" in found(judged(story(*rows)))) == relieved


def test_an_unreported_device_is_not_an_unmanaged_one() -> None:
    def device(**detail: Any) -> set[str]:
        return found(judged(approved_and_redeemed(OFFICE, OFFICE, DeviceDetail=detail)))

    assert "unmanaged-device" in device(isManaged=False)
    assert "unmanaged-device" not in device(isManaged="")
    assert "unmanaged-device" not in device(isManaged=False, isCompliant=True)


def test_the_place_of_the_approval_proves_nothing() -> None:
    """The victim's own office approves; only the redeemer's address may clear."""
    elsewhere = judged(approved_and_redeemed(OFFICE, TOR), usual(AT_HOME))
    assert "redeemer-moved" in found(elsewhere)
    assert not reliefs(elsewhere)
    unseen = judged(story(sign_in(APPROVALS, 0, **OFFICE)), usual(AT_HOME))
    assert not reliefs(unseen)


# Every key of the policy: some sample below has to come out differently when it is changed, or a use of it is shown.

ROOM, SERVICE = "70000000-0000-4000-8000-000000000001", "70000000-0000-4000-8000-000000000002"
OFFICES = "192.0.2.128/25"
KNOWING = Policy.model_validate(
    POLICY.model_dump()
    | {
        "accounts": {"rooms": (ROOM,), "services": (SERVICE,), "device_groups": (GROUP,)},
        "trusted_networks": (OFFICES,),
        "hosting_ranges": ({"range": "198.51.100.240/28", "name": "a kit"},),
    }
)
"""The shipped policy in a tenant that has listed what is its own."""

REGISTRATION = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"
KIT_DEVICE = foothold(FootholdKind.DEVICE, TOR).model_copy(update={"agent": "python-requests/2.32"})
NAMELESS = Footholds(changes=(foothold(FootholdKind.DEVICE, {"IPAddress": ""}, 8),))
"""A device that the registration service added: its row names no address."""
IN_THE_OFFICES = OFFICE | {"IPAddress": "192.0.2.200"}
STRANGER = message(0.05, pattern="", first_contact=True)
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
ADDED = Footholds(changes=(foothold(FootholdKind.METHOD, OFFICE, 8),))
MAILED = SentMail(id="m", at=NOON + timedelta(minutes=30), subject="x", outsiders=40)
FORWARDED = foothold(FootholdKind.MAIL_RULE, OFFICE).model_copy(update={"leads_outside": True})
MET = CodeUse(app_id=KIOSK, agent="", users=2, days=3, first=NOON - timedelta(days=9))
ROLLED_OUT = story(sign_in(APPROVALS, 0, **OFFICE, DeviceDetail=ENROLLED), sign_in(REDEMPTIONS, 1, **OFFICE))
TRIED_BEFORE = story(
    sign_in(APPROVALS, -50, **OFFICE, ResultType="50199", SessionId="first"), *approved_and_redeemed(OFFICE, TOR).rows
)
SAMPLES: list[tuple[SignIns, Evidence]] = [
    (approved_and_redeemed(OFFICE, OFFICE | {"IPAddress": "198.51.100.99"}), usual(place(OFFICE))),
    (approved_and_redeemed(OFFICE, OFFICE, ResourceIdentity=REGISTRATION), Evidence(footholds=NAMELESS)),
    (PHISHED, usual(place(OFFICE)).model_copy(update={"intel": listed(TOR["IPAddress"])})),
    (PHISHED, Evidence(intel=listed(TOR["IPAddress"], 30), lures=Lures(clicks=(click(-10),)))),
    (PHISHED, Evidence(lures=Lures(clicks=(click(1),)))),
    (PHISHED, Evidence(lures=Lures(messages=(message(1),)))),
    (PHISHED, Evidence(lures=Lures(messages=(STRANGER,)))),
    (PHISHED, usual(tenant=(AddressUse(ip=TOR["IPAddress"], users=0, days=0, code_users=2),))),
    (PHISHED, usual(hours=(40,) + (0,) * 23)),
    *(
        (PHISHED, Evidence(earlier=EarlierCases(cases=(earlier(Fact(kind=kind, value=value)),))))
        for kind, value in ((FactKind.ADDRESS, TOR["IPAddress"]), (FactKind.NETWORK, TOR["AutonomousSystemNumber"]))
    ),
    (HABIT, Evidence(uses=TokenUses(uses=(used(OFFICE, content=1),)))),
    (HABIT, Evidence(uses=TokenUses(uses=(used(OFFICE, sensitive=1),)))),
    (HABIT, Evidence(uses=TokenUses(uses=(used(TOR),)))),
    (HABIT, Evidence(standing=Standing(roles=("Global Reader",)))),
    *((HABIT, Evidence(footholds=Footholds(changes=(foothold(kind, OFFICE),)))) for kind in FootholdKind),
    (PHISHED, Evidence(footholds=Footholds(changes=(KIT_DEVICE,)))),
    *(
        (approved_and_redeemed(OFFICE, OFFICE, RiskLevelAggregated=risk), Evidence())
        for risk in ("low", "medium", "high")
    ),
    (approved_and_redeemed(OFFICE, OFFICE, DeviceDetail={"isManaged": False}), Evidence()),
    (story(sign_in(APPROVALS, 0, **OFFICE)), Evidence()),
    (HABIT, usual(AT_HOME)),
    (HABIT, usual(place(OFFICE, days=3, device_code_days=3, device_code_sessions=3))),
    (approved_and_redeemed(HOTEL, HOTEL), usual(AT_HOME)),
    (
        approved_and_redeemed(OFFICE, HOTEL),
        usual(
            *(
                place(HOTEL | {"IPAddress": f"198.51.100.{n}"}, device_code_days=n, device_code_sessions=n)
                for n in (3, 4, 5)
            )
        ),
    ),
    (approved_and_redeemed(HOTEL, HOTEL), usual(place(OFFICE, days=9), place(HOTEL, managed=2))),
    (approved_and_redeemed(HOTEL, HOTEL), usual(tenant=(AddressUse(ip=HOTEL["IPAddress"], users=3, days=3),))),
    (approved_and_redeemed(OFFICE, RENTED), Evidence()),
    (approved_and_redeemed(OFFICE, HOTEL | {"IPAddress": "198.51.100.250"}), usual(place(OFFICE))),
    (approved_and_redeemed(OFFICE, TOR | {"DeviceDetail": ENROLLED}), Evidence()),
    (approved_and_redeemed(IN_THE_OFFICES, IN_THE_OFFICES), Evidence()),
    *((approved_and_redeemed(OFFICE, TOR, AppId=TEAMS, UserId=user), Evidence()) for user in (ROOM, SERVICE)),
    (approved_and_redeemed(OFFICE, TOR, AppId=TEAMS), Evidence(standing=Standing(groups=(GROUP,)))),
    (approved_and_redeemed(OFFICE, TOR), usual(AT_HOME)),
    (
        approved_and_redeemed(HOTEL, HOTEL),
        usual(AT_HOME, place(TOR, days=9, device_code_days=5, device_code_sessions=5)),
    ),
    (approved_and_redeemed(OFFICE, RENTED | {"ResourceIdentity": EXCHANGE, "AppId": AZURE_CLI}), Evidence()),
    (HABIT, usual(place(OFFICE, days=9)).model_copy(update={"footholds": ADDED})),
    (HABIT, Evidence(uses=TokenUses(uses=(used(OFFICE, sent=1),)))),
    (HABIT, usual(AT_HOME).model_copy(update={"uses": TokenUses(uses=(used(OFFICE, content=30),))})),
    (HABIT, Evidence(lures=Lures(clicks=(click(-5),)), uses=TokenUses(mass_mails=(MAILED,)))),
    (HABIT, Evidence(footholds=Footholds(changes=(FORWARDED,)))),
    (HABIT, usual(tenant=(AddressUse(ip=OFFICE["IPAddress"], users=0, days=0, colleagues=(MET,)),))),
    (ROLLED_OUT, usual(tenant=(AddressUse(ip=OFFICE["IPAddress"], users=0, days=0, batches={KIOSK: 4}),))),
    (approved_and_redeemed(OFFICE, OFFICE, AppId=AZURE_CLI), usual(place(OFFICE, days=5))),
    (TRIED_BEFORE, Evidence(lures=Lures(clicks=(click(-55),)))),
]
# Where the evidence has to be cut, or a link to be looked up, before it says anything.
GATHERED: list[tuple[SignIns, Collected]] = [
    (PHISHED, Collected(lures=Lures(messages=(message(1),)), lure_intel=listed("evil.example"))),
    (HABIT, Collected(history=History(visits=tuple(regular(OFFICE, KIOSK, 20, code=True)[-5:])))),
    (HABIT, Collected(uses=TokenUses())),
    (story(sign_in(APPROVALS, 0, **OFFICE)), Collected()),
]
OF_THE_ACTIONS = {
    "accounts.break_glass",
    "correlation.intel_lookback",
    "correlation.mass_recipients",
    "device_login_pages",
    "lure_patterns",
    "picture_types",
    "usual.episode",
}
"""What no sample shows: each has a test of its own below."""


def keys_of_the_policy() -> set[str]:
    """Every key of the four files; of a table, `table.key`."""
    found = set()
    for file in ("policy.toml", "apps.toml", "networks.toml", "lures.toml"):
        for name, value in tomllib.loads((shipped_config() / file).read_text()).items():
            found |= {f"{name}.{key}" for key in value} if isinstance(value, dict) else {name}
    return found


def changed(key: str, value: object) -> Policy | None:
    content = KNOWING.model_dump()
    *section, name = key.split(".")
    (content[section[0]] if section else content)[name] = value
    try:
        return Policy.model_validate(content)
    except ValidationError:
        return None


def outcomes(policy: Policy) -> list[tuple[VerdictKind, int, tuple[tuple[str, int], ...], tuple[Gap, ...]]]:
    soon = NOON + timedelta(minutes=30)
    cut = [(signins, evidence_at(signins, collected, policy, START, soon)) for signins, collected in GATHERED]
    verdicts = [judged(signins, evidence, policy) for signins, evidence in [*SAMPLES, *cut]]
    return [(one.kind, one.score, tuple((f.id, f.weight) for f in one.findings), one.gaps) for one in verdicts]


SHIPPED = outcomes(KNOWING)


@pytest.mark.parametrize("key", sorted(keys_of_the_policy() - OF_THE_ACTIONS))
def test_every_key_of_the_policy_counts(key: str) -> None:
    tries = [changed(key, value) for value in (-99, -1, 1, 2, 5, 99, 100, 1000, "0s", "1s", "365d", ())]
    policies = [policy for policy in tries if policy is not None]
    assert policies
    assert any(outcomes(policy) != SHIPPED for policy in policies)


def other(key: str, value: object) -> Policy:
    policy = changed(key, value)
    assert policy is not None
    return policy


def case_of(policy: Policy) -> Case:
    window = Window(start=START, end=END)
    return Case(run="r", mode=Mode.LIVE, tenant="lab", who=USER, window=window, started=END, policy=policy)


def test_sign_ins_an_episode_apart_are_judged_by_themselves() -> None:
    """What came the day before is history to the second one, unless both are of one episode."""
    apart = story(sign_in(REDEMPTIONS, 0, **OFFICE), sign_in(REDEMPTIONS, 30 * 60, SessionId="two", **OFFICE))

    def groups(policy: Policy) -> list[int]:
        return [len(one.flows) for one, *_ in judged_episodes(case_of(policy), policy, apart, Collected())]

    assert groups(KNOWING) == [1, 1]
    assert groups(other("usual.episode", "31h")) == [2]


def test_kits_are_known_by_the_patterns_of_the_policy() -> None:
    link = "https://invoice-a1b.contoso-account.workers.dev/x"
    assert kit_pattern(link, KNOWING) == "workers-account"
    assert kit_pattern(link, other("lure_patterns", ())) == ""


def test_device_code_pages_are_those_of_the_policy() -> None:
    assert is_device_login("https://microsoft.com/devicelogin", KNOWING)
    assert not is_device_login("https://microsoft.com/devicelogin", other("device_login_pages", ()))


def test_pictures_are_of_the_kinds_of_the_policy() -> None:
    assert only_pictures({"png", "jpg"}, KNOWING)
    assert not only_pictures({"png", "pdf"}, KNOWING)
    assert not only_pictures((), KNOWING)
    assert not only_pictures({"png"}, other("picture_types", ()))


class Tenant:
    """Stands in for the services: keeps the queries, answers none, and knows one user."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.absent = Absent(timedelta(minutes=15))

    def clients(self, *, read_only: bool) -> Tenant:
        assert not read_only
        return self

    @property
    def logs(self) -> Tenant:
        return self

    @property
    def graph(self) -> Tenant:
        return self

    @property
    def defender(self) -> Tenant:
        return self

    @property
    def places(self) -> Places:
        tenant: Any = self
        return Places(tenant, tenant, Sources(), auto=True, absent_for=timedelta(minutes=15))

    async def query(self, text: str, *, whole: bool) -> Rows:
        assert not whole
        self.queries.append(text)
        return Rows()

    async def account(self, key: str) -> Account:
        return Account(id=key, upn="target.user@contoso.com", display_name="Target", sessions_valid_from=START)


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """The actions of this process work on a stand-in."""
    services: Any = Tenant()
    nowhere: Any = None
    install(Process(settings=load_settings(shipped_config()), connections=services, store=nowhere))
    yield services
    install(None)


@pytest.mark.parametrize(
    ("key", "action", "query"),
    [
        ("usual.history", find_usual_places, "find_usual_places"),
        ("correlation.intel_lookback", match_threat_intel, "match_threat_intel"),
        ("correlation.mail_before", find_lures, "find_lure_mails"),
    ],
)
async def test_the_queries_look_as_far_back_as_the_policy_says(
    key: str, action: Any, query: str, tenant: Tenant
) -> None:
    people = (Account(id=USER, upn="target.user@contoso.com", display_name="Target"),)
    for policy in (KNOWING, other(key, "45d")):
        await action(case_of(policy), people=people)
    starts = [
        datetime.fromisoformat(found[1])
        for text in tenant.queries
        if text.startswith(first_line(query))
        and (found := re.search(r"^let p_from = datetime\((.+)\);$", text, re.MULTILINE))
    ]
    section, name = key.split(".")
    assert starts[0] - starts[1] == timedelta(days=45) - getattr(getattr(KNOWING, section), name)


async def test_mail_to_many_is_asked_for_from_as_many_recipients_on_as_the_policy_says(tenant: Tenant) -> None:
    people = (Account(id=USER, upn="target.user@contoso.com", display_name="Target"),)
    await find_token_use(case_of(other("correlation.mass_recipients", 99)), people=people)
    assert [text for text in tenant.queries if "let p_least = long(99);" in text]


def first_line(query: str) -> str:
    return (shipped_config() / "queries" / f"{query}.kql").read_text().partition("\n")[0]


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize("listed", [True, False])
async def test_an_emergency_account_is_known_by_its_object_id(listed: bool) -> None:
    case = case_of(other("accounts.break_glass", (USER.upper(),) if listed else ()))
    account = await know_user(case)
    assert account.kind is (AccountKind.BREAK_GLASS if listed else AccountKind.MEMBER)
