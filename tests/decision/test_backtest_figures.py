"""What a backtest counts: each case once, its answer, what analysts made of it, and what another policy would do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.backtest import backtest
from respond.backtesting import Replay
from respond.clients.log_answer import Rows
from respond.clients.logs import Absent
from respond.clients.places import Places
from respond.decision.cut import Collected
from respond.models.backtest import Answer, Backtest, Tally
from respond.models.base import Gap
from respond.models.case import Case, Mode, Window
from respond.models.evidence import Account, History, Lures, SharedAddresses
from respond.models.incidents import Classification, Classified, Incidents
from respond.models.policy import Policy
from respond.models.report import VerdictKind
from respond.models.signin import SignIns
from respond.settings import Sources, load_settings, shipped_config
from respond.step import Process, install
from tests.decision.test_decision import (
    APPROVALS,
    AZURE_CLI,
    COLLECTED,
    END,
    HOTEL,
    KIOSK,
    NOON,
    OFFICE,
    POLICIES,
    POLICY,
    REDEMPTIONS,
    SEVERAL,
    TOR,
    USER,
    click,
    listed,
    regular,
    sign_in,
    story,
)

START = NOON - timedelta(days=14)
DAY = 24 * 60
GAP = Gap(source="EmailEvents", reason="timed out")
ANN = Account(id=USER, upn="ann@contoso.com", display_name="Ann", other_upns=("ann.lee@contoso.com",))


def case_of(policy: Policy = POLICY) -> Case:
    window = Window(start=START, end=END)
    return Case(run="r", mode=Mode.DRY_RUN, tenant="lab", who="", window=window, started=END, policy=policy)


def attacked(minutes: int = 0, session: str = "one") -> SignIns:
    """Redeemed by a script elsewhere; with the address on a list it is contained."""
    script = TOR | {"UserAgent": "python-requests/2.32", "AppId": AZURE_CLI, "AppDisplayName": "Azure CLI"}
    return story(
        sign_in(APPROVALS, minutes, UserId=USER, SessionId=session, **OFFICE),
        sign_in(REDEMPTIONS, minutes + 1, UserId=USER, SessionId=session, **script),
    )


AT_HOME = story(
    *(
        sign_in(t, n, UserId=USER, **OFFICE | {"AppDisplayName": "Kiosk"})
        for n, t in enumerate((APPROVALS, REDEMPTIONS))
    )
)
UNSEEN = story(sign_in(APPROVALS, 0, UserId=USER, **HOTEL | {"AppDisplayName": "Kiosk"}))
ATTEMPTED = story(sign_in(APPROVALS, 0, UserId=USER, ResultType="50199", **OFFICE))
HINTED = story(
    *(
        sign_in(APPROVALS, n, UserId=USER, ResultType=result, CorrelationId="c", IsDeviceCode=False, **TOR)
        for n, result in enumerate(("50199", "0"))
    )
)
LONG_KNOWN = History(visits=tuple(regular(OFFICE, KIOSK, 50, code=True)))
STORIES = st.lists(st.tuples(SEVERAL, COLLECTED), min_size=1, max_size=2)
KNOWN = Collected(history=LONG_KNOWN, intel=listed(TOR["IPAddress"]))


def replayed(
    *stories: SignIns,
    collected: Collected = KNOWN,
    incidents: Incidents | None = None,
    other: Policy | None = None,
    policy: Policy = POLICY,
    who: Account = ANN,
) -> Backtest:
    replay = Replay(case_of(policy), "shipped", other=other, other_name="other" if other else "")
    replay.incidents = incidents or Incidents()
    for signins in stories:
        replay.add(who, signins, collected)
    return replay.result()


def both(*stories: SignIns) -> SignIns:
    return story(*(row for signins in stories for row in signins.rows))


# What is counted.


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (VerdictKind.MALICIOUS, Answer.CONTAINED),
        (VerdictKind.SUSPICIOUS, Answer.ASKED),
        (VerdictKind.BENIGN, Answer.IGNORED),
        (VerdictKind.NO_ACTIVITY, Answer.IGNORED),
    ],
)
def test_a_verdict_is_answered_as_the_playbook_does(kind: VerdictKind, answer: Answer) -> None:
    assert Answer.to(kind) is answer


def test_every_case_is_counted_once_by_answer_app_and_network() -> None:
    found = replayed(attacked(), UNSEEN, AT_HOME, AT_HOME)
    assert found.answers == Tally(contained=1, asked=1, ignored=2)
    assert found.answers.total == len(found.cases) == found.sign_ins == 4
    assert found.by_app == {"Azure CLI": Tally(contained=1), "Kiosk": Tally(asked=1, ignored=2)}
    assert found.by_network == {"AS64511": Tally(contained=1), "AS64500": Tally(asked=1), "AS64496": Tally(ignored=2)}
    assert found.by_analyst == {"no incident": Tally(contained=1, asked=1, ignored=2)}


def test_the_worst_case_comes_first_and_says_who_holds_the_token() -> None:
    first, *_, last = replayed(AT_HOME, attacked(), UNSEEN).cases
    assert (first.answer, first.app, first.ip, first.country) == (Answer.CONTAINED, "Azure CLI", TOR["IPAddress"], "NL")
    assert (first.user.id, first.at, first.sign_ins) == (USER, NOON, 1)
    assert (last.verdict, last.score) == (VerdictKind.BENIGN, 0)


def test_links_in_a_reason_cannot_be_followed() -> None:
    lured = KNOWN.model_copy(update={"intel": None, "lures": Lures(clicks=(click(-5),))})
    (case,) = replayed(attacked(), collected=lured).cases
    assert "https://evil.example" not in case.reason
    assert "evil" in case.reason


def test_sign_ins_of_one_day_are_one_case_and_days_apart_they_are_several() -> None:
    together = replayed(both(attacked(), attacked(60, "two")))
    assert [(case.sign_ins, case.answer) for case in together.cases] == [(2, Answer.CONTAINED)]
    apart = replayed(both(attacked(-3 * DAY), attacked(0, "two")))
    assert [case.sign_ins for case in apart.cases] == [1, 1]
    assert apart.users_done == 1


@pytest.mark.parametrize("signins", [ATTEMPTED, HINTED, SignIns()], ids=["attempt", "hint", "nothing"])
def test_what_issued_no_token_or_is_no_device_code_is_no_case(signins: SignIns) -> None:
    found = replayed(signins, collected=Collected(history=LONG_KNOWN))
    assert (found.cases, found.answers.total, found.sign_ins, found.users_done) == ((), 0, 0, 1)


def test_a_hint_that_other_evidence_speaks_for_is_a_case() -> None:
    assert [case.answer for case in replayed(HINTED).cases] == [Answer.ASKED]


@settings(max_examples=40, deadline=None)
@given(stories=STORIES, policy=POLICIES)
def test_the_figures_add_up(stories: list[tuple[SignIns, Collected]], policy: Policy) -> None:
    replay = Replay(case_of(policy), "any")
    for signins, collected in stories:
        replay.add(ANN, signins, collected)
    found = replay.result()
    for groups in (found.by_app, found.by_network, found.by_analyst):
        for answer in Answer:
            assert sum(getattr(tally, answer) for tally in groups.values()) == getattr(found.answers, answer)
    assert found.answers.total == len(found.cases)
    assert found.answers.contained == sum(case.verdict is VerdictKind.MALICIOUS for case in found.cases)
    assert found.sign_ins == sum(case.sign_ins for case in found.cases) <= sum(len(s.completed) for s, _ in stories)
    assert [case.score for case in found.cases] == sorted((case.score for case in found.cases), reverse=True)
    assert found.users_done == len(stories)


# Another policy.


def stricter(**thresholds: int) -> Policy:
    return POLICY.model_copy(update={"thresholds": POLICY.thresholds.model_copy(update=thresholds)})


def test_without_another_policy_there_is_nothing_to_compare() -> None:
    assert replayed(attacked()).differences is None


def test_a_policy_differs_in_nothing_from_itself() -> None:
    assert replayed(attacked(), UNSEEN, AT_HOME, other=POLICY).differences == ()


def test_a_difference_is_a_case_with_another_answer() -> None:
    """Another score alone is none."""
    doubtful = KNOWN.model_copy(update={"intel": listed(HOTEL["IPAddress"], 50), "shared": SharedAddresses()})
    stories, milder = (attacked(), UNSEEN, AT_HOME), stricter(malicious=71)
    found = replayed(*stories, collected=doubtful, policy=milder, other=stricter(malicious=72))
    assert found.differences == ()
    found = replayed(*stories, collected=doubtful, policy=milder, other=POLICY)
    assert found.differences is not None
    (one,) = found.differences
    assert (one.case.answer, one.other_answer) == (Answer.ASKED, Answer.CONTAINED)
    assert (one.case.verdict, one.other_verdict) == (VerdictKind.SUSPICIOUS, VerdictKind.MALICIOUS)
    assert one.case in found.cases
    assert one.other_reason
    assert (found.policy, found.other_policy) == ("shipped", "other")


def test_what_only_the_other_policy_would_act_on_is_a_difference() -> None:
    """No case by the first policy, which thinks little of the list; the second contains it."""
    doubtful = Collected(history=LONG_KNOWN, intel=listed(TOR["IPAddress"], 50))
    near = POLICY.correlation.model_copy(update={"strong_confidence": 50})
    weights = POLICY.weights.model_copy(update={"threat_intel": 100})
    other = POLICY.model_copy(update={"correlation": near, "weights": weights})
    assert replayed(HINTED, collected=doubtful, policy=other).answers == Tally(contained=1)
    found = replayed(HINTED, collected=doubtful, other=other)
    assert found.differences is not None
    assert [one.other_answer for one in found.differences] == [Answer.CONTAINED]


@settings(max_examples=40, deadline=None)
@given(stories=STORIES, policy=POLICIES, other=POLICIES)
def test_the_differences_lead_from_one_policy_to_the_other(
    stories: list[tuple[SignIns, Collected]], policy: Policy, other: Policy
) -> None:
    one, two = Replay(case_of(policy), "one", other=other), Replay(case_of(other), "two")
    for signins, collected in stories:
        one.add(ANN, signins, collected)
        two.add(ANN, signins, collected)
    found, expected = one.result(), two.result()
    assert found.differences is not None
    for answer in (Answer.CONTAINED, Answer.ASKED):
        gone = sum(difference.case.answer is answer for difference in found.differences)
        came = sum(difference.other_answer is answer for difference in found.differences)
        assert getattr(found.answers, answer) - gone + came == getattr(expected.answers, answer)


# What analysts decided.


def incident(
    kind: Classification = Classification.TRUE_POSITIVE, *, minutes: int = 30, hours: int = 1, account: str = USER
) -> Classified:
    first = NOON + timedelta(minutes=minutes)
    accounts = frozenset({account})
    return Classified(
        number=1, classification=kind, first=first, last=first + timedelta(hours=hours), accounts=accounts
    )


def analyst(*found: Classified, signins: SignIns | None = None, who: Account = ANN) -> str:
    (case,) = replayed(signins or attacked(), incidents=Incidents(found=found), who=who).cases
    return case.analyst


GUEST = ANN.model_copy(update={"upn": "ann_fabrikam.com#EXT#@contoso.com"})


@pytest.mark.parametrize(
    ("account", "who"),
    [
        (USER, ANN),
        ("ann@contoso.com", ANN),
        ("ann.lee@contoso.com", ANN),
        ("ann_fabrikam.com#ext#@contoso.com", GUEST),
        ("ann@fabrikam.com", GUEST),
    ],
)
def test_an_incident_names_the_user_by_id_or_by_any_name(account: str, who: Account) -> None:
    assert analyst(incident(account=account), who=who) == "TruePositive"


def test_an_incident_on_somebody_else_is_none_on_the_case() -> None:
    assert analyst(incident(account="bob@contoso.com")) == ""


@pytest.mark.parametrize(
    ("minutes", "near"), [(DAY + 1, True), (DAY + 2, False), (-DAY - 60, True), (-DAY - 61, False), (-20 * DAY, False)]
)
def test_an_incident_belongs_to_a_case_that_it_lies_within_an_episode_of(minutes: int, near: bool) -> None:
    """The case is of two rows, a minute apart; the incident lasts an hour."""
    assert bool(analyst(incident(minutes=minutes))) is near


def test_an_incident_that_spans_the_case_belongs_to_it() -> None:
    assert analyst(incident(minutes=-10 * DAY, hours=20 * 24)) == "TruePositive"


def test_an_incident_during_a_session_that_is_refreshed_for_days_belongs_to_it() -> None:
    """Also where a shorter sign-in began after it."""
    refreshed = both(attacked(), story(sign_in(REDEMPTIONS, 4 * DAY, UserId=USER, **TOR)))
    assert analyst(incident(minutes=3 * DAY), signins=refreshed) == "TruePositive"
    assert analyst(incident(minutes=3 * DAY), signins=both(refreshed, attacked(60, "two"))) == "TruePositive"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_incidents_the_worst_classification_counts(order: int) -> None:
    kinds = [Classification.FALSE_POSITIVE, Classification.BENIGN_POSITIVE, Classification.UNDETERMINED]
    assert analyst(*map(incident, kinds[::order])) == "BenignPositive"
    assert analyst(*map(incident, [*kinds, Classification.TRUE_POSITIVE][::order])) == "TruePositive"
    assert analyst(incident(Classification.UNDETERMINED)) == "Undetermined"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("TruePositive", Classification.TRUE_POSITIVE),
        ("benignpositive", Classification.BENIGN_POSITIVE),
        ("Undetermined", Classification.UNDETERMINED),
        ("SomethingNew", Classification.UNDETERMINED),
        ("", Classification.UNDETERMINED),
    ],
)
def test_a_classification_that_is_not_known_is_undetermined(text: str, kind: Classification) -> None:
    assert Classification.read(text) is kind


def test_answers_are_counted_by_what_analysts_decided() -> None:
    found = replayed(attacked(), UNSEEN, incidents=Incidents(found=(incident(minutes=0),), gaps=(GAP,)))
    assert found.by_analyst == {"TruePositive": Tally(contained=1, asked=1)}
    assert GAP in found.gaps


# What could not be known.


def thin(found: Backtest) -> list[str]:
    return [gap.reason for gap in found.gaps if gap.source == "SigninLogs (history)"]


def test_a_history_that_begins_late_is_a_gap() -> None:
    """Thirty days before a window of fourteen; a day's tolerance."""
    (reason,) = thin(replayed(attacked(), collected=Collected(history=History(visits=LONG_KNOWN.visits[:40]))))
    assert "since 06 Dec 2025 only" in reason
    assert thin(replayed(attacked(), collected=Collected(history=History(visits=LONG_KNOWN.visits[:43])))) == []


def test_the_oldest_visit_of_anybody_says_how_far_the_history_reaches() -> None:
    replay = Replay(case_of(), "shipped")
    replay.add(ANN, attacked(), KNOWN)
    replay.add(ANN, attacked(), Collected(history=History(visits=LONG_KNOWN.visits[:1])))
    assert thin(replay.result()) == []


def test_without_a_case_no_history_is_thin() -> None:
    assert thin(replayed(ATTEMPTED, collected=Collected(history=History()))) == []


@pytest.mark.parametrize("history", [History(), History(unread=True), None], ids=["empty", "unread", "pending"])
def test_without_any_history_no_date_is_made_up(history: History | None) -> None:
    assert not any("9999" in reason for reason in thin(replayed(attacked(), collected=Collected(history=history))))


def test_a_gap_is_told_once_for_each_source() -> None:
    lost = Collected(history=LONG_KNOWN, lures=Lures(gaps=(GAP,)), shared=SharedAddresses(unread=True, gaps=(GAP,)))
    signins = attacked().model_copy(update={"gaps": (Gap(source="A table", reason="gone"),)})
    found = replayed(signins, signins, collected=lost)
    assert [gap.source for gap in found.gaps if gap.source != "MicrosoftGraphActivityLogs"] == [
        "A table",
        "EmailEvents",
    ]


# A run that is interrupted.


def test_a_replay_is_not_complete_before_it_says_so() -> None:
    replay = Replay(case_of(), "shipped", users=3, log_rows=12)
    replay.add(ANN, attacked(), KNOWN)
    partial = replay.result()
    assert (partial.complete, partial.users, partial.users_done, partial.log_rows) == (False, 3, 1, 12)
    assert partial.answers == Tally(contained=1)
    replay.complete = True
    assert replay.result().complete


class Tenant:
    """Stands in for a workspace in which so many people redeemed one code each; and for an empty store."""

    def __init__(self, people: int) -> None:
        self.absent = Absent(timedelta(minutes=15))
        self.rows = [
            dict(TOR, At=NOON, Id=f"row-{number}", UserId=f"user-{number}", SessionId=f"s-{number}")
            | {"ResultType": "0", "IsTransferred": True}
            for number in range(people)
        ]

    def clients(self, *, read_only: bool) -> Tenant:
        assert read_only
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

    async def query(self, text: str, *, whole: bool = False) -> Rows:
        del whole
        if text.startswith("// Device code sign-ins, redeeming leg"):
            return Rows(self.rows)
        return Rows([{"Rows": 7}]) if "Rows = sum(" in text else Rows()

    def earlier(self, **_: object) -> Sequence[object]:
        return ()


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    services: Any = Tenant(3)
    install(Process(settings=load_settings(shipped_config()), connections=services, store=services))
    yield services
    install(None)


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_a_backtest_replays_everybody_whatever_the_size_of_a_query(at_once: int) -> None:
    told: list[tuple[str, int, int]] = []
    found = await backtest(case_of(), Replay(case_of(), "shipped"), at_once=at_once, tell=lambda *now: told.append(now))
    assert (found.complete, found.users, found.users_done, found.sign_ins, found.log_rows) == (True, 3, 3, 3, 7)
    assert told == [("hunting", 0, 0), *(("replaying", number, 3) for number in (1, 2, 3))]


@pytest.mark.usefixtures("tenant")
async def test_an_interrupted_backtest_keeps_the_figures_of_those_done() -> None:
    replay = Replay(case_of(), "shipped")
    running: asyncio.Task[Backtest]

    def interrupt(_: str, done: int, __: int) -> None:
        if done == 2:
            running.cancel()

    running = asyncio.create_task(backtest(case_of(), replay, at_once=1, tell=interrupt))
    with pytest.raises(asyncio.CancelledError):
        await running
    found = replay.result()
    assert (found.complete, found.users, found.users_done, len(found.cases)) == (False, 3, 2, 2)
