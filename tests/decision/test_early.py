"""Deciding before all is known: what is certain early is the verdict in the end, in whatever order the rest arrives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from respond.decision.bounds import Bounds, bounds
from respond.decision.cut import Collected, evidence_at
from respond.decision.rules import AGAINST, RELIEVING
from respond.decision.verdict import certain, decide, judge_all
from respond.decision.view import View
from respond.models.evidence import (
    EarlierCases,
    Evidence,
    Fact,
    FactKind,
    FootholdKind,
    Footholds,
    History,
    Lures,
    Part,
    SharedAddresses,
    Standing,
    ThreatIntel,
    TokenUses,
)
from respond.models.policy import Policy
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import SignIns
from tests.decision.test_decision import (
    AZURE_CLI,
    COLLECTED,
    END,
    FLOW,
    HOTEL,
    KIOSK,
    NOON,
    OFFICE,
    POLICIES,
    POLICY,
    SEVERAL,
    START,
    TOR,
    USER,
    click,
    earlier,
    foothold,
    listed,
    message,
    regular,
    signins_of,
    used,
)

ORDERS = st.permutations(list(Part))


def arriving(policy: Policy, signins: SignIns, complete: Collected, order: Sequence[Part]) -> Iterator[Evidence]:
    """The evidence before anything came, and after each part."""
    held = Collected()
    yield evidence_at(signins, held, policy, START, END)
    for part in order:
        name = part.name.lower()
        held = held.model_copy(update={name: getattr(complete, name)})
        yield evidence_at(signins, held, policy, START, END)


def what_counts(verdict: Verdict) -> tuple[VerdictKind, datetime | None]:
    """What the playbook acts on."""
    return verdict.kind, verdict.last_token


@given(policy=POLICIES, signins=SEVERAL, complete=COLLECTED, order=ORDERS)
def test_what_is_certain_early_is_the_verdict_in_the_end_and_stays_certain(
    policy: Policy, signins: SignIns, complete: Collected, order: list[Part]
) -> None:
    *partial, whole = arriving(policy, signins, complete, order)
    end = decide(policy, signins, whole)
    before: Verdict | None = None
    for evidence in partial:
        early = certain(policy, signins, evidence)
        if early:
            event(f"certain {len(evidence.pending)} parts early")
            assert early.is_malicious
            assert what_counts(early) == what_counts(end)
        assert early or not before
        before = early
    assert end.is_malicious or not before


ATTACK: dict[str, Any] = {"approval": OFFICE, "redemptions": [TOR], "linked": [], "marked": True, "hour": 0}


@given(
    policy=POLICIES,
    others=st.lists(FLOW, min_size=1, max_size=2),
    half_blind=st.sampled_from([False, False, True]),
    complete=COLLECTED,
    order=ORDERS,
)
def test_beside_a_certain_attack_the_same_tokens_are_ended_early_and_late(
    policy: Policy, others: list[dict[str, Any]], half_blind: bool, complete: Collected, order: list[Part]
) -> None:
    """The attack alone would be certain from its indicator on; the user's other sign-ins have to be settled first."""
    signins = signins_of([ATTACK, *others], half_blind=half_blind)
    policy = policy.model_copy(update={"weights": policy.weights.model_copy(update={"threat_intel": 100})})
    complete = complete.model_copy(update={"intel": listed(TOR["IPAddress"])})
    *partial, whole = arriving(policy, signins, complete, order)
    end = decide(policy, signins, whole)
    assert end.is_malicious
    for evidence in partial:
        if early := certain(policy, signins, evidence):
            event(f"certain {len(evidence.pending)} parts early")
            assert what_counts(early) == what_counts(end)


@given(policy=POLICIES, signins=SEVERAL, complete=COLLECTED)
def test_with_everything_there_it_is_certain_if_it_is_malicious(
    policy: Policy, signins: SignIns, complete: Collected
) -> None:
    evidence = evidence_at(signins, complete, policy, START, END)
    assert not evidence.pending
    assert all(one.is_settled for one in judge_all(policy, signins, evidence))
    end = decide(policy, signins, evidence)
    assert certain(policy, signins, evidence) == (end if end.is_malicious else None)


def all_bounds(policy: Policy, signins: SignIns, evidence: Evidence) -> list[Bounds]:
    return [bounds(View(flow, evidence, policy), AGAINST, RELIEVING) for flow in signins.completed]


@given(policy=POLICIES, signins=SEVERAL, complete=COLLECTED, order=ORDERS)
def test_the_score_lies_within_the_bounds_and_they_only_narrow(
    policy: Policy, signins: SignIns, complete: Collected, order: list[Part]
) -> None:
    steps = list(arriving(policy, signins, complete, order))
    judged = judge_all(policy, signins, steps[-1])
    sums = [sum(found.weight for found in one.findings if found.id != "cannot-be-cleared") for one in judged]
    between = [all_bounds(policy, signins, evidence) for evidence in steps]
    for step in between:
        assert all(b.low <= total <= b.high for b, total in zip(step, sums, strict=True))
    for wide, narrow in pairwise(between):
        assert all(w.low <= n.low and n.high <= w.high for w, n in zip(wide, narrow, strict=True))


# What is certain when, told by examples.

LURED = Lures(messages=(message(0.01),), clicks=(click(-5),))
PLAIN_VISITS = tuple(regular(OFFICE, KIOSK, 9, code=False, managed=True, session=""))
PLAIN = Collected(
    lures=Lures(),
    history=History(visits=PLAIN_VISITS),
    shared=SharedAddresses(),
    intel=ThreatIntel(),
    lure_intel=ThreatIntel(),
    uses=TokenUses(),
    footholds=Footholds(),
    standing=Standing(),
    earlier=EarlierCases(),
)


BY_SCRIPT = ATTACK | {"redemptions": [TOR | {"UserAgent": "python-requests/2.32", "AppId": AZURE_CLI}]}
PHISHED = signins_of([BY_SCRIPT], half_blind=False)
AT_HOME = ATTACK | {"redemptions": [OFFICE]}


def known(signins: SignIns, complete: Collected, *parts: Part) -> Verdict | None:
    """What is certain once these parts have arrived."""
    *_, evidence = arriving(POLICY, signins, complete, parts)
    return certain(POLICY, signins, evidence)


def test_a_listed_address_is_certain_before_anything_else_is_known() -> None:
    """Forty points, a script and a powerful app: nothing that may still come relieves a hard fact."""
    complete = PLAIN.model_copy(update={"intel": listed(TOR["IPAddress"])})
    assert known(PHISHED, complete) is None
    early = known(PHISHED, complete, Part.INTEL)
    assert early is not None
    assert what_counts(early) == (VerdictKind.MALICIOUS, NOON + timedelta(minutes=2))


def test_without_a_listed_address_history_tenant_and_lures_make_it_certain() -> None:
    complete = PLAIN.model_copy(update={"lures": LURED})
    parts = (Part.HISTORY, Part.SHARED, Part.LURES)
    assert all(known(PHISHED, complete, *parts[:count]) is None for count in range(3))
    assert known(PHISHED, complete, *parts) is not None


def test_what_is_not_malicious_is_certain_at_no_time() -> None:
    innocent = signins_of([AT_HOME], half_blind=False)
    assert all(known(innocent, PLAIN, *list(Part)[:count]) is None for count in range(len(Part) + 1))


def test_a_part_that_was_asked_in_vain_is_waited_for_no_longer() -> None:
    """Nobody knows then whether the address is usual: what stands without that has to be enough."""
    lost = PLAIN.model_copy(update={"history": History(unread=True), "lures": LURED})
    assert known(PHISHED, lost, *Part) is None
    listed_too = lost.model_copy(update={"intel": listed(TOR["IPAddress"])})
    assert known(PHISHED, listed_too, Part.HISTORY, Part.INTEL) is not None


def test_another_sign_in_that_may_still_turn_out_innocent_is_waited_for() -> None:
    """Whether its newer token counts as the attacker's has to be known first."""
    signins = signins_of([BY_SCRIPT, ATTACK], half_blind=False)
    at_home = signins_of([BY_SCRIPT, AT_HOME], half_blind=False)
    complete = PLAIN.model_copy(update={"intel": listed(TOR["IPAddress"])})
    assert known(signins, complete, Part.INTEL) is not None
    assert known(at_home, complete, Part.INTEL) is None
    whole = known(at_home, complete, *Part)
    assert whole is not None
    assert whole.last_token == NOON + timedelta(minutes=2)


def test_of_several_attacks_the_newest_token_is_ended() -> None:
    """The worst one names the verdict; what the others hold and have added is the attacker's as well."""
    signins = signins_of([BY_SCRIPT, ATTACK | {"redemptions": [HOTEL]}], half_blind=False)
    complete = PLAIN.model_copy(update={"intel": listed(TOR["IPAddress"])})
    *_, whole = arriving(POLICY, signins, complete, list(Part))
    verdict = decide(POLICY, signins, whole)
    assert verdict.legs == signins.flows[0].legs
    assert verdict.last_token == NOON + timedelta(minutes=12)
    assert set(verdict.guilty_rows) == {row.id for row in signins.rows}


@pytest.mark.parametrize("intel", [ThreatIntel(), listed(TOR["IPAddress"])], ids=["in doubt", "beside a hard fact"])
def test_a_weight_on_half_an_answer_is_within_the_bounds(intel: ThreatIntel) -> None:
    """It may go when the rest arrives, so it is no floor; but it is in the score."""
    half = PLAIN.model_copy(update={"intel": intel, "history": History(visits=PLAIN_VISITS, unread=True)})
    *_, whole = arriving(POLICY, PHISHED, half, list(Part))
    (one,) = judge_all(POLICY, PHISHED, whole)
    (between,) = all_bounds(POLICY, PHISHED, whole)
    total = sum(finding.weight for finding in one.findings if finding.id != "cannot-be-cleared")
    assert between.low < total <= between.high


def test_a_finding_that_may_still_go_makes_no_device_code_of_an_interrupted_sign_in() -> None:
    """The other network may be the user's own: until the history is there, an interrupt is all there is."""
    risky = {"RiskLevelAggregated": "high", "AppId": AZURE_CLI, "UserAgent": "python-requests/2.32"}
    hinted = {"approval": OFFICE | risky, "redemptions": [], "linked": [TOR], "marked": False, "hour": 0}
    signins = signins_of([hinted], half_blind=False)
    complete = PLAIN.model_copy(
        update={
            "history": History(visits=tuple(regular(TOR, KIOSK, 9, code=False, managed=True, session=""))),
            "lures": Lures(messages=(message(0.01),)),
            "lure_intel": listed("evil.example"),
            "uses": TokenUses(uses=(used(OFFICE, content=1),)),
        }
    )
    parts = [part for part in Part if part is not Part.HISTORY]
    *_, whole = arriving(POLICY, signins, complete, list(Part))
    assert decide(POLICY, signins, whole).kind is VerdictKind.NO_ACTIVITY
    assert known(signins, complete, *parts) is None


def test_a_sign_in_is_not_settled_as_benign_while_a_hard_fact_may_stand_beside_its_relief() -> None:
    """A mailbox rule in the session; whose address it was made from cannot be known, so it may be a hard fact."""
    signins = signins_of([BY_SCRIPT, AT_HOME], half_blind=False)
    rule = foothold(FootholdKind.MAIL_RULE, OFFICE).model_copy(update={"session": "two"})
    complete = PLAIN.model_copy(
        update={
            "history": History(visits=tuple(regular(OFFICE, KIOSK, 9, code=True, managed=True, session=""))),
            "shared": SharedAddresses(unread=True),
            "intel": listed(TOR["IPAddress"]),
            "footholds": Footholds(changes=(rule,)),
            "earlier": EarlierCases(cases=(earlier(Fact(kind=FactKind.USER, value=USER)),)),
        }
    )
    *_, whole = arriving(POLICY, signins, complete, list(Part))
    assert decide(POLICY, signins, whole).last_token == NOON + timedelta(minutes=12)
    assert known(signins, complete, *(part for part in Part if part is not Part.EARLIER)) is None


def test_a_sign_in_is_not_settled_as_benign_while_its_address_may_still_be_listed() -> None:
    """A habit at home outweighs every other finding, and counts for nothing beside a listed address."""
    signins = signins_of([BY_SCRIPT, AT_HOME | {"hour": -9}], half_blind=False)
    habit = History(visits=tuple(regular(OFFICE, KIOSK, 9, code=True, managed=True, session="")))
    complete = PLAIN.model_copy(update={"history": habit, "lures": LURED})
    *_, whole = arriving(POLICY, signins, complete, list(Part))
    assert decide(POLICY, signins, whole).last_token == NOON + timedelta(minutes=2)
    assert known(signins, complete, *(part for part in Part if part is not Part.INTEL)) is None


def test_an_indicator_on_a_lure_is_none_on_an_address() -> None:
    """Links may name an address as their host; addresses of sign-ins are asked about on their own."""
    complete = PLAIN.model_copy(update={"lure_intel": listed(TOR["IPAddress"])})
    *_, whole = arriving(POLICY, PHISHED, complete, list(Part))
    found = {finding.id for finding in decide(POLICY, PHISHED, whole).findings}
    assert "threat-intel-address" not in found
