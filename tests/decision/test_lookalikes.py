"""No device code is not the same as nothing: what looks like another theft is said, and so is that a block worked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from respond.decision.cut import Collected
from respond.decision.lookalikes import told_of_lookalikes
from respond.decision.verdict import decide
from respond.models.case import Case, Window
from respond.models.evidence import Account, Evidence
from respond.models.lookalikes import Lookalike, LookalikeKind, Lookalikes
from respond.models.report import LOOKS_LIKE, WAS_BLOCKED, Verdict, VerdictKind
from respond.models.signin import SignIns
from respond.surveying import surveyed
from tests.decision.test_decision import (
    APPROVALS,
    NOON,
    OFFICE,
    POLICY,
    REDEMPTIONS,
    TOR,
    approved_and_redeemed,
    place,
    sign_in,
    story,
    usual,
)

USER = "ann@contoso.com"


def pasted(**more: Any) -> Lookalike:
    plain = {
        "kind": LookalikeKind.PASTED, "id": "r1", "at": NOON + timedelta(seconds=40), "app": "Microsoft Azure CLI",
        "resource": "", "ip": TOR["IPAddress"], "asn": "64511", "country": "NL", "client": "python-requests/2.32",
        "result": "0", "signed_at": NOON, "signed_ip": OFFICE["IPAddress"], "signed_asn": "64496",
        "signed_country": "US", "signed_id": "s1",
    }  # fmt: skip
    return Lookalike.model_validate(plain | more)


def told(*found: Lookalike, signins: SignIns | None = None) -> Verdict:
    known = signins or SignIns()
    return told_of_lookalikes(decide(POLICY, known, Evidence()), USER, known, Lookalikes(found=found))


def test_a_code_that_was_redeemed_elsewhere_looks_like_a_pasted_one() -> None:
    verdict = told(pasted())
    assert verdict.kind is VerdictKind.NO_ACTIVITY
    assert verdict.asks_to_look
    assert verdict.headline.startswith("no device code sign-in, but a token for Microsoft Azure CLI was taken at")
    assert "it looks like an authorization code that was pasted to an attacker" in verdict.headline
    assert [source.id for source in verdict.findings[0].evidence] == ["s1", "r1"]


@pytest.mark.parametrize(
    "same",
    [
        {"ip": OFFICE["IPAddress"]},
        {"ip": "192.0.2.77"},
        {"ip": "192.0.2.XXX", "asn": ""},
        {"asn": "64496"},
        {"asn": "8075"},
        {"ip": ""},
    ],
)
def test_the_same_network_or_microsofts_own_looks_like_nothing(same: dict[str, Any]) -> None:
    verdict = told(pasted(**same))
    assert (verdict.findings, verdict.headline) == ((), "no device code sign-in")


def test_a_device_code_that_was_blocked_says_who_was_targeted_and_that_the_block_worked() -> None:
    tried = story(sign_in(APPROVALS, 0, **TOR, ResultType="53003", AppDisplayName="Microsoft Azure CLI"))
    verdict = told(signins=tried)
    (finding,) = verdict.findings
    assert (finding.id, finding.weight) == (WAS_BLOCKED, 0)
    assert f"device code phishing of {USER}" in verdict.headline
    assert "Conditional Access blocked it (1 time)" in verdict.headline


def test_a_plain_sign_in_that_was_blocked_is_told_and_asks_nobody_to_look() -> None:
    verdict = told(pasted(kind=LookalikeKind.BLOCKED, result="53003", id="b1"), pasted(kind="blocked", id="b2"))
    assert "blocked by Conditional Access (2 times)" in verdict.headline
    assert not verdict.asks_to_look


TRIED = sign_in(APPROVALS, 0, **TOR, ResultType="53003", AppDisplayName="Microsoft Azure CLI", SessionId="tried")


def test_a_harmless_device_code_does_not_answer_for_a_pasted_code_or_a_blocked_attempt_beside_it() -> None:
    habit = sign_in(APPROVALS, 1, **OFFICE, SessionId="habit")
    signins = story(TRIED, habit, sign_in(REDEMPTIONS, 2, **OFFICE, SessionId="habit"))
    verdict = decide(POLICY, signins, usual(place(OFFICE, days=9, device_code_days=5, device_code_sessions=5)))
    assert verdict.kind is VerdictKind.BENIGN
    told_too = told_of_lookalikes(verdict, USER, signins, Lookalikes(found=(pasted(),)))
    assert (told_too.kind, told_too.score) == (VerdictKind.BENIGN, verdict.score)
    assert told_too.headline.startswith(f"{verdict.headline}, but a token for Microsoft Azure CLI was taken at")
    assert [finding.id for finding in told_too.findings[-2:]] == [LOOKS_LIKE, WAS_BLOCKED]
    assert told_too.asks_to_look


def test_the_hunt_of_a_tenant_says_whose_attempt_was_blocked() -> None:
    window = Window(start=NOON - timedelta(days=1), end=NOON + timedelta(hours=1))
    case = Case.model_construct(window=window, policy=POLICY)
    who = Account(id="ann", upn=USER, display_name="Ann")
    (row,), _ = surveyed(case, who, story(TRIED), Collected())
    assert row.verdict is VerdictKind.NO_ACTIVITY
    assert f"device code phishing of {USER}, and Conditional Access blocked it" in row.reason
    other = TRIED.model_copy(update={"result": "50126"})
    (row,), _ = surveyed(case, who, story(other), Collected())
    assert (row.reason, row.findings) == ("no token was issued", ())


def test_a_verdict_that_accuses_is_left_as_it_is() -> None:
    signins = approved_and_redeemed(OFFICE, TOR)
    verdict = decide(POLICY, signins, Evidence())
    assert not verdict.is_benign
    assert told_of_lookalikes(verdict, USER, signins, Lookalikes(found=(pasted(),))) == verdict
