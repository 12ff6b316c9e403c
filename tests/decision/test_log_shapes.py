"""Shapes of rows that a real capture and public reports show: which method a row names, where a sign-in began."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actions.find_lures import kit_pattern
from respond.decision.method_types import named_types
from respond.decision.verdict import decide
from respond.decision.view import View
from respond.models.evidence import Evidence, Foothold, FootholdKind, Footholds, Lures
from respond.models.policy import HostingNetwork, HostingRange
from respond.models.report import VerdictKind
from respond.models.signin import SignIns
from tests.decision.test_decision import (
    APPROVALS,
    AZURE_CLI,
    NOON,
    OFFICE,
    POLICY,
    REDEMPTIONS,
    TOR,
    approved_and_redeemed,
    foothold,
    found,
    judged,
    message,
    place,
    sign_in,
    story,
    usual,
)


@pytest.mark.parametrize(
    ("words", "types"),
    [
        ("User registered Authenticator App with Code", {"microsoftAuthenticator", "softwareOath"}),
        ("User registered Software OATH token", {"microsoftAuthenticator", "softwareOath"}),
        ("Admin registered a TOTP", {"microsoftAuthenticator", "softwareOath"}),
        ("User registered Hardware OATH token", {"hardwareOath"}),
        ("User registered OATH token", {"softwareOath", "hardwareOath"}),
        ("User registered External Authentication Method", {"external"}),
        ("User registered external authentication method (Contoso Phone MFA)", {"external"}),
        ("User registered Authenticator App with Notification", {"microsoftAuthenticator"}),
        ("User registered Mobile Phone SMS", {"phone"}),
        ("User registered security info", set()),
    ],
)
def test_the_words_of_a_row_name_the_types_of_method_that_it_may_mean(words: str, types: set[str]) -> None:
    assert named_types(words) == types


# Where a sign-in began: interrupts come before the success, in the same correlation.

CODE = {"CorrelationId": "code", "AppId": AZURE_CLI}
APPROVED = sign_in(APPROVALS, 0, **OFFICE, **CODE)
REDEEMED = sign_in(REDEMPTIONS, 1, **TOR, **CODE)


def interrupted(result: str, **columns: Any) -> SignIns:
    """The approval after an interrupt two minutes before, which carries no mark of a device code."""
    before = sign_in(APPROVALS, -2, **OFFICE, **CODE | {"IsDeviceCode": False, "ResultType": result} | columns)
    return story(before, APPROVED, REDEEMED)


@pytest.mark.parametrize(
    ("result", "correlation", "minutes"),
    [("65001", "code", -2), ("50199", "code", -2), ("65001", "another", 0), ("65001", "", 0)],
    ids=["a consent", "a confirmation", "of another correlation", "of none"],
)
def test_a_sign_in_begins_with_the_interrupt_of_its_correlation(result: str, correlation: str, minutes: int) -> None:
    (flow,) = interrupted(result, CorrelationId=correlation).flows
    assert (flow.started, flow.began) == (NOON, NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("result", "tied"),
    [("65001", True), ("50199", True), ("", False)],
    ids=["a consent", "a confirmation", "no interrupt"],
)
def test_a_consent_is_tied_to_the_sign_in_whose_interrupt_asked_for_it(result: str, tied: bool) -> None:
    """A quarter of an hour counts from the interrupt on, and the consent lies 17 minutes before the success."""
    near = POLICY.correlation.registration_within
    consent = foothold(FootholdKind.CONSENT, {"IPAddress": ""}, -near.total_seconds() / 60 - 1.5)
    consent = consent.model_copy(update={"objects": (AZURE_CLI,), "scopes": ("Mail.ReadWrite",)})
    signins = interrupted(result) if tied else story(APPROVED, REDEEMED)
    verdict = judged(signins, Evidence(footholds=Footholds(changes=(consent,))))
    assert ("consent-added" in found(verdict)) == tied


# Mail without a link.


@pytest.mark.parametrize(
    ("mail", "named"),
    [
        ({"urls": ()}, True),
        ({"urls": ("https://contoso.example/",)}, True),
        ({"urls": (), "first_contact": False}, False),
        ({"urls": (), "days": 0.2}, False),
    ],
    ids=["without a link", "with a link", "of somebody known", "hours before"],
)
def test_a_strangers_first_mail_is_a_circumstance_with_or_without_a_link(mail: dict[str, Any], named: bool) -> None:
    """The code may stand in the text, which no log holds."""
    plain: dict[str, Any] = {"days": 0.05, "pattern": "", "first_contact": True}
    lures = Lures(messages=(message(**plain | mail),))
    known, here = usual(place(OFFICE, days=9)), approved_and_redeemed(OFFICE, OFFICE | {"IPAddress": "198.51.100.9"})
    verdict, without = judged(here, known.model_copy(update={"lures": lures})), judged(here, known)
    assert ("stranger-wrote" in found(verdict)) == named
    assert verdict.score == without.score + (POLICY.weights.stranger_wrote if named else 0)
    abroad = judged(approved_and_redeemed(OFFICE, TOR), known.model_copy(update={"lures": lures}))
    assert abroad.kind is VerdictKind.SUSPICIOUS, "one more circumstance contains nobody"


QR_CODE = {"pattern": "", "first_contact": True, "urls": ("https://contoso.example/menu",), "qr_code": True}


@pytest.mark.parametrize(
    ("mail", "named"),
    [(QR_CODE, True), (QR_CODE | {"qr_code": False}, False), (QR_CODE | {"first_contact": False}, False)],
    ids=["of a stranger", "a plain link", "of somebody known"],
)
def test_a_strangers_qr_code_is_a_lure_whatever_its_link_looks_like(mail: dict[str, Any], named: bool) -> None:
    evidence = usual(place(OFFICE, days=9)).model_copy(update={"lures": Lures(messages=(message(0.05, **mail),))})
    assert ("lure-delivered" in found(judged(approved_and_redeemed(OFFICE, TOR), evidence))) == named


# What ships.


@pytest.mark.parametrize("path", ["/api/device/start", "/api/device/status/7f3a", "/API/Device/Start?x=1"])
def test_the_shipped_policy_knows_the_paths_of_artoken(path: str) -> None:
    assert kit_pattern(f"https://portal.contoso-files.example{path}", POLICY) == "artoken"
    assert kit_pattern(f"https://portal.contoso-files.example/docs{path}", POLICY) == ""


@pytest.mark.parametrize(
    ("ip", "named"),
    [
        ("162.220.232.1", True),
        ("162.220.234.7", True),
        ("162.220.235.255", True),
        ("162.220.231.255", False),
        ("162.220.236.0", False),
    ],
)
def test_the_shipped_policy_knows_the_ranges_of_a_kit(ip: str, named: bool) -> None:
    redeemer = TOR | {"IPAddress": ip, "AutonomousSystemNumber": ""}
    assert ("hosting-network" in found(judged(approved_and_redeemed(OFFICE, redeemer)))) == named


@pytest.mark.parametrize(
    "listed",
    [
        {"hosting_networks": (HostingNetwork(asn=TOR["AutonomousSystemNumber"], name=""),)},
        {"hosting_ranges": (HostingRange(range="203.0.113.0/24", name=""),)},
    ],
    ids=["a network", "a range"],
)
def test_a_listed_network_without_a_name_counts(listed: dict[str, Any]) -> None:
    policy = POLICY.model_copy(update={"hosting_networks": (), "hosting_ranges": ()} | listed)
    verdict = decide(policy, approved_and_redeemed(OFFICE, TOR | {"Location": OFFICE["Location"]}), Evidence())
    (finding,) = (one for one in verdict.findings if one.id == "hosting-network")
    assert finding.weight == POLICY.weights.hosting_network
    assert "a listed network" in finding.summary


def test_a_listed_network_without_a_name_is_told_from_one_that_is_not_listed() -> None:
    """The view answers with a name, an empty one, or nothing; only nothing means that it is not listed."""
    policy = POLICY.model_copy(update={"hosting_ranges": (HostingRange(range="203.0.113.0/24", name=""),)})
    (flow,) = approved_and_redeemed(OFFICE, TOR).flows
    view = View(policy=policy, flow=flow, evidence=Evidence())
    assert (view.kit_range(TOR["IPAddress"]), view.kit_range(OFFICE["IPAddress"])) == ("", None)


# A device that nothing ties to the sign-in.

REGISTERED = foothold(FootholdKind.DEVICE, OFFICE, 8)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (REGISTERED, True),
        (REGISTERED.model_copy(update={"ip": ""}), True),
        (REGISTERED.model_copy(update={"ip": "198.51.100.250"}), False),
        (REGISTERED.model_copy(update={"removal": True}), False),
        (REGISTERED.model_copy(update={"at": NOON - timedelta(minutes=1)}), False),
        (REGISTERED.model_copy(update={"at": NOON + POLICY.correlation.act_within + timedelta(minutes=1)}), False),
    ],
    ids=["a familiar address", "no address", "another address", "a removal", "before the approval", "hours later"],
)
def test_a_device_at_a_familiar_address_is_named_with_what_it_proves(change: Foothold, named: bool) -> None:
    """It weighs nothing: a new phone is set up in the office every day."""
    signins, known = approved_and_redeemed(OFFICE, OFFICE), usual(place(OFFICE, days=9))
    verdict = judged(signins, known.model_copy(update={"footholds": Footholds(changes=(change,))}))
    told = [one for one in verdict.findings if one.id == "device-at-familiar-address"]
    assert [one.weight for one in told] == [0] * named
    assert all("not by whom" in one.summary for one in told)
    before = judged(signins, known)
    assert (verdict.kind, verdict.score) == (before.kind, before.score)
