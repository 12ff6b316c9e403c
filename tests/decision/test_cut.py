"""What was known when: the evidence is cut off before the sign-ins in question, and what others do is not theirs."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respond.addresses import canonical, covers, domains_of, host_of, neighbours
from respond.decision.cut import Collected, evidence_at
from respond.decision.episodes import episodes
from respond.decision.verdict import judge_all
from respond.decision.view import View
from respond.models.base import Gap
from respond.models.evidence import (
    Account,
    AddressDay,
    AddressUse,
    Evidence,
    History,
    Part,
    SharedAddresses,
    Standing,
    TokenUses,
    UsualPlaces,
    Visit,
)
from respond.models.signin import Risk, SignIns
from tests.decision.test_decision import (
    APPROVALS,
    COLLECTED,
    END,
    KIOSK,
    NOON,
    OFFICE,
    POLICY,
    REDEMPTIONS,
    SEVERAL,
    START,
    TOR,
    USER,
    sign_in,
    story,
)
from tests.helpers.same_address import same_address

DAY = timedelta(days=1)
QUESTIONED = story(sign_in(APPROVALS, 0, UserId=USER, **OFFICE), sign_in(REDEMPTIONS, 5, UserId=USER, **TOR))
"""Approved at noon in one session, redeemed five minutes later."""


def visit(at: datetime, **more: Any) -> Visit:
    plain: dict[str, Any] = {"first": at, "last": at, "ip": "192.0.2.10", "asn": "64496", "country": "US"}
    rest = {"app_id": KIOSK, "session": "", "is_device_code": False, "sign_ins": 1}
    return Visit.model_validate(plain | rest | more)


def cut(*visits: Visit, signins: SignIns = QUESTIONED) -> UsualPlaces:
    collected = Collected(history=History(visits=visits))
    return evidence_at(signins, collected, POLICY, START, END).usual


def shared(*days: AddressDay, signins: SignIns = QUESTIONED, start: datetime = START) -> dict[str, AddressUse]:
    usual = evidence_at(signins, Collected(shared=SharedAddresses(days=days)), POLICY, start, END).usual
    return {use.ip: use for use in usual.tenant}


def day(ago: float, *users: str, ip: str = TOR["IPAddress"], by_code: bool = False) -> AddressDay:
    return AddressDay(ip=ip, day=NOON.replace(hour=0) - ago * DAY, users=frozenset(users), by_code=by_code)


# The history.


@pytest.mark.parametrize(
    ("before_noon", "counts"),
    [
        (timedelta(seconds=1), True),
        (timedelta(0), False),
        (-timedelta(minutes=2), False),
        (-DAY, False),
        (POLICY.usual.history, True),
        (POLICY.usual.history + timedelta(seconds=1), False),
    ],
)
def test_the_history_ends_before_the_first_row_in_question_and_is_as_long_as_the_policy_says(
    before_noon: timedelta, counts: bool
) -> None:
    assert bool(cut(visit(NOON - before_noon)).places) is counts


@pytest.mark.parametrize("column", ["SessionId", "CorrelationId"])
def test_an_earlier_visit_of_a_session_in_question_is_no_history(column: str) -> None:
    """A session that was stolen last week has been refreshed every day since."""
    rows = (sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"SessionId": "s", column: "STOLEN"}),)
    found = cut(visit(NOON - DAY, session="stolen"), visit(NOON - DAY, session="own"), signins=story(*rows))
    assert [place.sign_ins for place in found.places] == [1]


BROWSER = story(sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"SessionId": "browser"}, CorrelationId="today"))
"""A browser that has kept one session id for weeks: today's code carries it as well."""


def approved(*days_ago: int, code: str = "code", **more: Any) -> list[Visit]:
    """A device code of its own on each of these days, all in the browser's session."""
    return [
        visit(NOON - ago * DAY, session="browser", is_device_code=True, codes=frozenset({f"{code}-{ago}"}), **more)
        for ago in days_ago
    ]


def test_codes_that_were_approved_one_by_one_are_a_habit_in_one_session_too() -> None:
    (place,) = cut(*approved(2, 5, 9), signins=BROWSER).places
    assert len(place.days) == 3
    assert View(BROWSER.flows[0], Evidence(), POLICY).is_habit([place])


@pytest.mark.parametrize(
    "visits",
    [
        approved(2, 5),
        [*approved(9), *(visit(NOON - ago * DAY, session="browser", is_device_code=True) for ago in range(1, 9))],
        [one.model_copy(update={"codes": frozenset({"today"})}) for one in approved(2, 5, 9)],
    ],
    ids=["two codes", "one code and its refreshes", "the code in question"],
)
def test_a_stolen_session_is_no_habit_however_long_it_was_refreshed(visits: list[Visit]) -> None:
    assert not cut(*visits, signins=BROWSER).places


def test_refreshes_of_a_habitual_session_that_is_in_question_stay_out() -> None:
    """They may be the stolen token's."""
    strange = visit(NOON - DAY, session="browser", is_device_code=True, ip=TOR["IPAddress"])
    assert {one.ip for one in cut(*approved(2, 5, 9), strange, signins=BROWSER).places} == {"192.0.2.10"}


@pytest.mark.parametrize("session", ["browser", "room"])
def test_what_is_in_question_still_shows_where_a_user_without_other_history_was_before(session: str) -> None:
    """A room that only ever refreshes one session, and a second sign-in from abroad: both legs are there."""
    rows = [
        sign_in(REDEMPTIONS, 0, UserId=USER, **OFFICE | {"SessionId": "room"}, CorrelationId="refresh"),
        sign_in(APPROVALS, 4, UserId=USER, **TOR | {"SessionId": "browser"}, CorrelationId="today"),
        sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"SessionId": "browser"}, CorrelationId="today"),
    ]
    before = visit(NOON - DAY, session=session, is_device_code=True)
    evidence = evidence_at(story(*rows), Collected(history=History(visits=(before,))), POLICY, START, END)
    room, abroad = judge_all(POLICY, story(*rows), evidence)
    new = {"new-country", "new-network"}
    assert not new & {finding.id for finding in room.findings}
    # Of its own session nothing is said: it may have been stolen then.
    assert (new <= {finding.id for finding in abroad.findings}) == (session == "room")


def test_a_session_of_weeks_ago_does_not_cut_the_history_of_todays_sign_in() -> None:
    """A command line that is still signed in from three weeks ago; the server was used on many days since."""
    rows = [
        sign_in(REDEMPTIONS, 0, UserId=USER, **OFFICE | {"SessionId": "old", "At": NOON - 21 * DAY, "Id": "first"}),
        sign_in(REDEMPTIONS, -30, UserId=USER, **OFFICE | {"SessionId": "old"}),
        sign_in(APPROVALS, 4, UserId=USER, **OFFICE | {"SessionId": "new"}),
        sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"SessionId": "new"}),
    ]
    known = tuple(codes("a", "b", "c", "d", ip=TOR["IPAddress"]))
    evidence = evidence_at(story(*rows), Collected(history=History(visits=known)), POLICY, START, END)
    old, new = judge_all(POLICY, story(*rows), evidence)
    assert "habitual-device-code" not in {finding.id for finding in old.findings}
    assert "habitual-device-code" in {finding.id for finding in new.findings}


def test_a_session_from_before_the_window_is_looked_back_on() -> None:
    """The first code of what became a habit is still refreshed; refreshes and codes of the window say nothing."""
    old = {"SessionId": "old", "CorrelationId": "first", "At": NOON - 21 * DAY, "Id": "first"}
    rows = (sign_in(REDEMPTIONS, 0, UserId=USER, **OFFICE | old),)
    coded = [one.model_copy(update={"session": code}) for one in approved(3, 8, 13) for code in one.codes]
    (place,) = cut(*coded, signins=story(*rows)).places
    assert len(place.days) == 3
    refreshed = [one.model_copy(update={"codes": frozenset()}) for one in coded]
    today = [one.model_copy(update={"first": START + DAY / 4, "last": END}) for one in coded]
    own = [one.model_copy(update={"session": "old"}) for one in coded]
    assert not cut(*refreshed, *today, *own, signins=story(*rows)).places


def test_a_visit_without_a_session_counts() -> None:
    """Most sign-ins of older clients have none; that ties them to nothing."""
    bare = story(sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"SessionId": ""}))
    assert cut(visit(NOON - DAY), signins=bare).places


@settings(deadline=None)
@given(signins=SEVERAL, collected=COLLECTED, hours=st.integers(0, 48), data=st.data())
def test_nothing_that_happens_from_the_first_row_on_makes_a_place_usual(
    signins: SignIns, collected: Collected, hours: int, data: st.DataObject
) -> None:
    first = min((row.at for row in signins.rows), default=START)
    code, managed = data.draw(st.booleans()), data.draw(st.booleans())
    at = first + timedelta(hours=hours)
    later = visit(at, ip="203.0.113.66", session="new", is_device_code=code, first_managed=at if managed else None)
    visits = collected.history.visits if collected.history else ()
    more = collected.model_copy(update={"history": History(visits=(*visits, later))})
    less = collected.model_copy(update={"history": History(visits=visits)})
    one, two = (evidence_at(signins, each, POLICY, START, END).usual for each in (more, less))
    assert one == two


def codes(*sessions: str, ip: str = "192.0.2.10") -> list[Visit]:
    """A device code of each session, a day apart."""
    return [
        visit(NOON - (number + 1) * DAY, ip=ip, is_device_code=True, session=session)
        for number, session in enumerate(sessions)
    ]


def test_days_sessions_and_sign_ins_of_one_place_add_up() -> None:
    found = cut(
        *codes("a", "b", "c", "c", ""),
        visit(NOON - DAY + timedelta(hours=1), session="d", sign_ins=2),
        visit(NOON - 9 * DAY),
        visit(NOON - 3 * DAY, ip="198.51.100.7"),
    )
    (place, elsewhere) = found.places
    assert (place.ip, place.sign_ins, place.last) == ("192.0.2.10", 8, NOON - DAY + timedelta(hours=1))
    coded = {f"2026-01-{day}" for day in range(10, 15)}
    assert place.days == coded | {"2026-01-06"}
    assert place.device_code_days == coded
    assert place.device_code_sessions == {"a", "b", "c"}
    assert elsewhere.days == {"2026-01-12"}
    assert not elsewhere.device_code_days


@pytest.mark.parametrize("sessions", [["a"] * 9, ["a", "b"] * 5, [""] * 9], ids=["one", "two", "none"])
def test_days_of_few_device_code_sessions_make_no_place_the_users_own(sessions: list[str]) -> None:
    """A code that nobody answered is refreshed for days; other sign-ins at the place count as ever."""
    (place,) = cut(*codes(*sessions)).places
    assert len(place.device_code_days) == len(sessions)
    assert not place.days
    assert View(QUESTIONED.flows[0], Evidence(usual=UsualPlaces(places=(place,))), POLICY).own_places == ()
    (place,) = cut(*codes(*sessions), visit(NOON - 12 * DAY)).places
    assert place.days == {"2026-01-03"}


def test_device_code_sessions_of_several_apps_add_up_to_a_place() -> None:
    found = cut(*(one.model_copy(update={"app_id": one.session}) for one in codes("a", "b", "c")))
    assert [len(place.days) for place in found.places] == [1, 1, 1]


@pytest.mark.parametrize(("minutes", "managed"), [(-30, 1), (0, 0), (5, 0), (None, 0)])
def test_a_managed_device_counts_if_it_was_there_before(minutes: int | None, managed: int) -> None:
    """The attacker registers a device and signs in from it: that visit began before, its first managed row did not."""
    first = None if minutes is None else NOON + timedelta(minutes=minutes)
    (place,) = cut(visit(NOON - timedelta(hours=1), last=END, first_managed=first)).places
    assert place.managed == managed
    assert place.last == NOON


def test_hours_are_those_of_visits_before_the_sign_in() -> None:
    """A visit is a day's: it may begin before the sign-in and end after it, at an hour never seen before."""
    hours = cut(
        visit(NOON - DAY - timedelta(hours=3), last=NOON - DAY + timedelta(hours=5)),
        visit(NOON - timedelta(hours=4), last=NOON + timedelta(hours=1)),
    ).hours
    assert {hour: count for hour, count in enumerate(hours) if count} == {8: 1, 9: 1, 17: 1}


def test_a_visit_within_one_hour_is_seen_in_it_once() -> None:
    hours = cut(visit(NOON - DAY, last=NOON - DAY + timedelta(minutes=40))).hours
    assert (hours[12], sum(hours)) == (1, 1)


# What others do.


def test_an_address_is_as_common_as_others_made_it_the_plain_way_before_today() -> None:
    use = shared(day(1, "ann", "bob"), day(2, "ann", "carl"), day(30, "dora"))[TOR["IPAddress"]]
    assert (use.users, use.days, use.code_users) == (4, 3, 0)


@pytest.mark.parametrize(
    ("others", "why"),
    [
        (day(1, USER), "the user's own"),
        (day(1, "ann", by_code=True), "a device code"),
        (day(0, "ann"), "today"),
        (day(-1, "ann"), "later"),
        (day(31, "ann"), "before the history"),
        (day(1, "ann", ip="198.51.100.7"), "another address"),
    ],
)
def test_what_does_not_make_an_address_common(others: AddressDay, why: str) -> None:
    use = shared(others)[TOR["IPAddress"]]
    assert (use.users, use.days) == (0, 0), why


def test_codes_of_others_count_from_today_on() -> None:
    use = shared(day(0, "ann", USER, by_code=True), day(-1, "ann", "bob", by_code=True), day(1, "carl", by_code=True))[
        TOR["IPAddress"]
    ]
    assert use.code_users == 2


def test_the_user_is_told_apart_in_any_case() -> None:
    upper = story(sign_in(REDEMPTIONS, 5, UserId=USER.upper(), **TOR))
    use = shared(day(1, USER), day(0, USER, by_code=True), signins=upper)[TOR["IPAddress"]]
    assert (use.users, use.code_users) == (0, 0)


def test_today_is_the_day_of_the_first_row_within_the_window() -> None:
    """An approval that was followed back to last week does not make this week's campaign look old."""
    approved = sign_in(APPROVALS, -5 * 24 * 60, UserId=USER, **OFFICE)
    followed = story(approved, sign_in(REDEMPTIONS, 5, UserId=USER, **TOR))
    use = shared(day(1, "ann"), day(0, "bob", by_code=True), day(2, "carl", by_code=True), signins=followed)
    assert (use[TOR["IPAddress"]].users, use[TOR["IPAddress"]].code_users) == (1, 1)


def test_an_address_is_one_in_every_spelling() -> None:
    short = story(sign_in(REDEMPTIONS, 5, UserId=USER, **TOR | {"IPAddress": "2001:db8::1"}))
    use = shared(day(1, "ann", ip="2001:0db8:0:0::1"), signins=short)["2001:db8::1"]
    assert use.users == 1


def test_addresses_of_attempts_that_issued_no_token_are_not_asked_about() -> None:
    failed = story(sign_in(APPROVALS, 0, UserId=USER, ResultType="50199", **OFFICE))
    assert shared(day(1, "ann", ip="192.0.2.10"), signins=failed) == {}


# What is missing.


@settings(deadline=None)
@given(signins=SEVERAL, collected=COLLECTED, parts=st.sets(st.sampled_from(list(Part))))
def test_what_has_not_arrived_is_pending_and_nothing_else(
    signins: SignIns, collected: Collected, parts: set[Part]
) -> None:
    partial = collected.model_copy(update={part.name.lower(): None for part in parts})
    evidence = evidence_at(signins, partial, POLICY, START, END)
    assert evidence.pending == parts
    assert evidence.usual.history_unread == (Part.HISTORY not in parts and bool(collected.history.unread))  # type: ignore[union-attr]


GAP = Gap(source="a table", reason="timed out")


@pytest.mark.parametrize("part", Part)
def test_a_gap_of_any_part_is_told_once(part: Part) -> None:
    name = part.name.lower()
    answer = Collected.model_fields[name].annotation
    assert answer is not None
    kind = next(one for one in answer.__args__ if one is not type(None))
    evidence = evidence_at(QUESTIONED, Collected.model_validate({name: kind(gaps=(GAP,))}), POLICY, START, END)
    assert [gap for gap in evidence.all_gaps if gap == GAP] == [GAP]


def late(signins: SignIns, collected: Collected, minutes: float) -> set[str]:
    """Sources that may be late so many minutes after the newest row."""
    newest = max((row.at for row in signins.rows), default=NOON)
    evidence = evidence_at(signins, collected, POLICY, START, newest + timedelta(minutes=minutes))
    return {gap.source for gap in evidence.late}


UNSEEN = story(sign_in(APPROVALS, 0, UserId=USER, **OFFICE))
CALLS = "MicrosoftGraphActivityLogs"


@pytest.mark.parametrize(("minutes", "may_be"), [(0, True), (59, True), (60, False)])
def test_a_redemption_that_is_not_there_may_be_late_for_an_hour(minutes: float, may_be: bool) -> None:
    assert (REDEMPTIONS in late(UNSEEN, Collected(), minutes)) is may_be
    assert REDEMPTIONS not in late(QUESTIONED, Collected(), minutes)


@pytest.mark.parametrize(("minutes", "may_be"), [(0, True), (119, True), (120, False)])
def test_calls_that_are_not_there_may_be_late_for_two_hours(minutes: float, may_be: bool) -> None:
    assert (CALLS in late(QUESTIONED, Collected(uses=TokenUses()), minutes)) is may_be


def test_calls_that_were_not_asked_for_yet_or_in_vain_are_not_late() -> None:
    """The gap is named already, or the answer is still to come."""
    assert CALLS not in late(QUESTIONED, Collected(), 1)
    assert CALLS not in late(QUESTIONED, Collected(uses=TokenUses(gaps=(GAP,))), 1)


def test_nothing_is_late_where_no_token_was_issued() -> None:
    failed = story(sign_in(APPROVALS, 0, UserId=USER, ResultType="50199", **OFFICE))
    assert late(failed, Collected(uses=TokenUses()), 1) == set()
    assert late(SignIns(), Collected(uses=TokenUses()), 1) == set()


# What is judged together.

MOMENTS = st.lists(st.integers(0, 5 * 24 * 60), max_size=8)


def scattered(moments: list[int]) -> SignIns:
    rows = (sign_in(REDEMPTIONS, at, Id=f"{number}", SessionId=f"s-{number}") for number, at in enumerate(moments))
    return story(*rows).model_copy(update={"gaps": (GAP,)})


@given(moments=MOMENTS)
def test_an_episode_holds_what_one_hunting_window_from_its_first_sign_in_would(moments: list[int]) -> None:
    signins = scattered(moments)
    groups = episodes(signins, DAY)
    assert sorted(flow.started for group in groups for flow in group.flows) == sorted(
        flow.started for flow in signins.flows
    )
    for group in groups:
        assert group.gaps == (GAP,)
        assert all(flow.started < group.flows[0].started + DAY for flow in group.flows)
    for earlier, later in pairwise(groups):
        assert later.flows[0].started >= earlier.flows[0].started + DAY


def test_a_chain_of_sign_ins_does_not_stretch_an_episode() -> None:
    """Twenty hours apart each: the third is 40 h after the first, and the first is history to it."""
    groups = episodes(scattered([0, 20 * 60, 40 * 60]), DAY)
    assert [len(group.flows) for group in groups] == [2, 1]


def test_last_weeks_attack_does_not_clear_this_weeks() -> None:
    """Both came from one place; in the first episode it is new, in the second it was seen on one day."""
    rows = [sign_in(REDEMPTIONS, at, Id=f"{at}", SessionId=f"s-{at}", UserId=USER, **TOR) for at in (-7 * 24 * 60, 0)]
    visits = tuple(
        visit(row.at, ip=row.ip, asn=row.asn, country=row.country, session=row.session_id, is_device_code=True)
        for row in rows
    )
    known = Collected(history=History(visits=visits))
    usual = [evidence_at(one, known, POLICY, one.rows[0].at, END).usual.places for one in episodes(story(*rows), DAY)]
    assert [len(places) for places in usual] == [0, 1]


# What was cleared.


def risk(row: str, **standing: Any) -> Risk:
    (flow,) = story(sign_in(REDEMPTIONS, 0, **TOR, RiskLevelAggregated=row)).flows
    return View(flow, Evidence(standing=Standing.model_validate(standing)), POLICY).risk


AFTER, BEFORE = {"risk_at": NOON + timedelta(minutes=1)}, {"risk_at": NOON - timedelta(minutes=1)}


@pytest.mark.parametrize("state", ["dismissed", "confirmedSafe", "Dismissed"])
def test_a_risk_that_was_cleared_since_is_none(state: str) -> None:
    assert risk("high", risk_state=state, **AFTER) is Risk.NONE
    assert risk("high", risk_state=state, risk_at=NOON) is Risk.NONE


@pytest.mark.parametrize("state", ["dismissed", "confirmedSafe"])
def test_a_risk_that_was_cleared_before_is_another(state: str) -> None:
    assert risk("high", risk_state=state, **BEFORE) is Risk.HIGH
    assert risk("high", risk_state=state) is Risk.HIGH


@pytest.mark.parametrize("state", ["remediated", "none", "", "atRisk"])
def test_no_other_state_clears_a_risk(state: str) -> None:
    """A password that was changed by whoever holds the session says nothing."""
    assert risk("high", risk_state=state, risk="none", **AFTER) is Risk.HIGH


@pytest.mark.parametrize("state", ["atRisk", "confirmedCompromised"])
def test_what_entra_says_of_the_user_since_counts(state: str) -> None:
    assert risk("low", risk_state=state, risk="high", **AFTER) is Risk.HIGH
    assert risk("high", risk_state=state, risk="low", **AFTER) is Risk.HIGH
    assert risk("low", risk_state=state, risk="high", **BEFORE) is Risk.LOW
    assert risk("", risk_state=state, risk="hidden", **AFTER) is Risk.HIDDEN


def test_a_risk_that_was_cleared_before_the_newest_row_is_not_cleared() -> None:
    """An administrator dismissed it while the attacker went on."""
    (flow,) = story(sign_in(REDEMPTIONS, 0, **TOR, RiskLevelAggregated="high"), sign_in(REDEMPTIONS, 60, **TOR)).flows
    standing = Standing(risk_state="dismissed", risk_at=NOON + timedelta(minutes=30))
    assert View(flow, Evidence(standing=standing), POLICY).risk is Risk.HIGH


# Addresses and hosts.


@given(address=st.ip_addresses())
def test_an_address_has_one_canonical_spelling(address: Any) -> None:
    assert canonical(address.exploded.upper()) == canonical(str(address)) == address.compressed
    assert same_address(canonical(str(address)), address.exploded)


@given(text=st.text(max_size=20))
def test_what_is_no_address_is_no_neighbour_and_is_covered_by_none(text: str) -> None:
    assert isinstance(canonical(text), str)
    assert not neighbours(text, "192.0.2.1") or canonical(text).startswith("192.0.2.")
    assert not covers("192.0.2.0/24", text) or canonical(text).startswith("192.0.2.")
    assert covers(text, "192.0.2.1") in (True, False)


@given(one=st.ip_addresses(), other=st.ip_addresses())
def test_neighbours_share_an_ipv4_24_or_an_ipv6_64(one: Any, other: Any) -> None:
    shift = 8 if one.version == 4 else 64
    near = one.version == other.version and int(one) >> shift == int(other) >> shift
    assert neighbours(str(one), str(other)) == neighbours(str(other), str(one)) == near
    assert neighbours(str(one), one.exploded)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("192.0.2.10", "192.0.2.254", True),
        ("192.0.2.10", "192.0.3.10", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.10", "2001:db8::1", False),
        ("192.0.2.10", "192.0.2.xxx", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", False),
    ],
)
def test_neighbours_by_example(one: str, other: str, near: bool) -> None:
    assert neighbours(one, other) is near


@pytest.mark.parametrize(
    ("indicator", "ip", "named"),
    [
        ("198.51.100.0/24", "198.51.100.7", True),
        ("198.51.100.7/24", "198.51.100.200", True),
        ("198.51.100.0/24", "198.51.101.7", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "198.51.100.7", False),
        ("0.0.0.0/0", "", False),
        ("198.51.100.0/99", "198.51.100.7", False),
        ("https://evil.example/x", "198.51.100.7", False),
        ("2001:DB8::1", "2001:db8:0::1", True),
        ("198.51.100.0/24", "198.51.100.xxx", False),
    ],
)
def test_a_range_covers_what_is_in_it(indicator: str, ip: str, named: bool) -> None:
    assert covers(indicator, ip) is named


@pytest.mark.parametrize(
    ("url", "host", "domains"),
    [
        (
            "https://Login.Evil.Example/x?y#z",
            "login.evil.example",
            ("login.evil.example", "evil.example"),
        ),
        ("https://evil.example.:8443/", "evil.example", ("evil.example",)),
        ("https://user:pw@evil.example/", "evil.example", ("evil.example",)),
        ("https://localhost/", "localhost", ("localhost",)),
        ("https://[2001:db8::1]/x", "2001:db8::1", ("2001:db8::1",)),
        ("https://[broken/x", "", ()),
        ("evil.example/x", "", ()),
        ("", "", ()),
    ],
)
def test_the_host_of_a_link_and_what_it_is_below(url: str, host: str, domains: tuple[str, ...]) -> None:
    assert host_of(url) == host
    assert domains_of(url) == domains


@given(url=st.text(max_size=30) | st.text(max_size=20).map(lambda rest: f"https://{rest}"))
def test_no_link_is_too_odd_to_have_a_host_or_none(url: str) -> None:
    host = host_of(url)
    assert host == host.rstrip(".")
    assert all(host.endswith(domain) for domain in domains_of(url))


# Names of an account.


def upns(upn: str, **more: Any) -> tuple[str, ...]:
    return Account(id=USER, upn=upn, display_name="Ann", **more).upns


@pytest.mark.parametrize(
    ("upn", "home"),
    [
        ("ann_fabrikam.com#EXT#@contoso.onmicrosoft.com", "ann@fabrikam.com"),
        ("ann_lee_fabrikam.com#EXT#@contoso.onmicrosoft.com", "ann_lee@fabrikam.com"),
        ("ann_fabrikam.com#ext#@contoso.onmicrosoft.com", "ann@fabrikam.com"),
    ],
)
def test_a_guest_is_known_by_the_name_of_the_home_tenant_as_well(upn: str, home: str) -> None:
    """Safe Links and Exchange write the name at home; sign-in logs may write either, and in any case."""
    assert upns(upn) == (upn, home)


def test_a_member_has_no_other_home() -> None:
    assert upns("ann_lee@contoso.com") == ("ann_lee@contoso.com",)
    assert upns("#EXT#@contoso.com") == ("#EXT#@contoso.com",)


def test_every_name_is_there_once_and_a_bare_id_is_none() -> None:
    assert upns("ann@contoso.com", mail="a.lee@contoso.com", other_upns=("ann@contoso.com", "old@contoso.com")) == (
        "ann@contoso.com",
        "a.lee@contoso.com",
        "old@contoso.com",
    )
    assert upns(USER, other_upns=("",)) == ()
