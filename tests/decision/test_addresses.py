"""One spelling for each address, whatever table it comes from; what Entra hides is neither the same nor different."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.address_index import AddressIndex, Networks
from respond.addresses import clean, covers, is_hidden, may_be_same, parse
from respond.decision.verdict import decide
from respond.models.evidence import Evidence, Foothold, FootholdKind, Footholds, TokenUse, TokenUses, UsualPlaces
from tests.decision.test_decision import NOON, OFFICE, POLICY, TOR, approved_and_redeemed, place
from tests.helpers.same_address import same_address

HOME = "203.0.113.24"


@pytest.mark.parametrize(
    "written",
    [
        HOME,
        f" {HOME} ",
        f"{HOME}:50321",
        f"[{HOME}]:443",
        f"::ffff:{HOME}",
        f"[::ffff:{HOME}]:443",
        f"::ffff:{HOME}:443",
        "::FFFF:CB00:7118",
        f"{HOME}, 10.0.0.1",
        f"{HOME};10.0.0.1",
        f"unknown, {HOME}",
        f'"{HOME}"',
        f"{HOME}%eth0",
        f"{HOME}\u2028",
    ],
)
def test_every_spelling_of_an_ipv4_address_is_read_as_one(written: str) -> None:
    assert clean(written) == HOME


@pytest.mark.parametrize(
    "written",
    ["2001:DB8::1", "[2001:db8::1]", "[2001:db8::1]:443", "2001:db8:0:0:0:0:0:1:443", "2001:db8::1%eth0"],
)
def test_every_spelling_of_an_ipv6_address_is_read_as_one(written: str) -> None:
    assert clean(written) == "2001:db8::1"


@pytest.mark.parametrize("written", ["", "-", "unknown", "REDACTED", "xxx.xxx.xxx.xxx", "x.x.x.x", "BY3PR01:22", "::x"])
def test_what_is_no_address_is_nothing(written: str) -> None:
    assert clean(written) == ""


@pytest.mark.parametrize(
    ("written", "kept", "inside", "outside"),
    [
        ("203.0.113.XXX", "203.0.113.xxx", "203.0.113.9", "203.0.114.9"),
        ("203.0.113.*", "203.0.113.xxx", "203.0.113.9", "203.1.113.9"),
        ("203.0.xxx.xxx:443", "203.0.xxx.xxx", "203.0.9.9", "203.1.9.9"),
        ("2001:db8:1::xxxx", "2001:db8:1:xxxx:xxxx:xxxx:xxxx:xxxx", "2001:db8:1::9", "2001:db8:2::9"),
        ("2001:db8:1:2:XXXX:XXXX:XXXX:XXXX", "2001:db8:1:2:xxxx:xxxx:xxxx:xxxx", "2001:db8:1:2::9", "203.0.113.9"),
    ],
)
def test_a_hidden_address_is_neither_the_same_nor_different_within_what_is_visible(
    written: str, kept: str, inside: str, outside: str
) -> None:
    assert (clean(written), is_hidden(written)) == (kept, True)
    assert may_be_same(written, inside)
    assert not same_address(written, inside)
    assert not may_be_same(written, outside)
    index = AddressIndex([inside, outside, written], str)
    assert set(index.maybe(written)) == {inside, written}
    assert set(index.maybe(inside)) == {inside, written}
    assert index.maybe(outside) == (outside,)
    assert index.same(written) == ()


@given(text=st.text(max_size=40))
def test_reading_an_address_never_fails_and_reading_it_again_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(one=st.ip_addresses(), other=st.ip_addresses())
def test_an_index_says_what_a_comparison_says(one: Any, other: Any) -> None:
    found = AddressIndex([str(other)], str).same(str(one))
    assert bool(found) == (parse(str(one)) == parse(str(other)))


@given(address=st.ip_addresses(v=4), bits=st.integers(0, 32))
def test_networks_hold_what_their_ranges_cover(address: Any, bits: int) -> None:
    ranges = [f"{address}/{bits}", "192.0.2.0/24", "2001:db8::/32", "nonsense"]
    held = Networks(ranges, str).of("192.0.2.1")
    assert held == tuple(one for one in ranges if covers(one, "192.0.2.1"))


def _use(ip: str) -> Evidence:
    use = TokenUse(
        token="", session="s-1", ip=ip, user_agent="", calls=1, writes=0, directory=0, content=1, first=NOON, last=NOON
    )
    return Evidence(uses=TokenUses(uses=(use,)), usual=UsualPlaces(places=(place(OFFICE, days=9),)))


@pytest.mark.parametrize("written", ["{}:50321", "[::ffff:{}]:443", "::ffff:{}"])
def test_a_rule_set_from_the_redeemers_address_is_the_attackers_however_it_is_written(written: str) -> None:
    at = NOON + timedelta(minutes=9)
    change = Foothold(
        kind=FootholdKind.MAIL_RULE, table="OfficeActivity", id="1", at=at, what="New-InboxRule",
        ip=written.format(TOR["IPAddress"]),
    )  # fmt: skip
    verdict = decide(POLICY, approved_and_redeemed(OFFICE, TOR), Evidence(footholds=Footholds(changes=(change,))))
    assert "mail-rule-added" in {finding.id for finding in verdict.findings}


@pytest.mark.parametrize("written", ["{}", "{}:50321", "::ffff:{}"])
def test_mail_read_from_a_usual_address_frames_nobody_however_it_is_written(written: str) -> None:
    signins = approved_and_redeemed(OFFICE, TOR, SessionId="s-1")
    known = decide(POLICY, signins, _use(written.format(OFFICE["IPAddress"])))
    strange = decide(POLICY, signins, _use("198.51.100.99"))
    assert "token-elsewhere" not in {finding.id for finding in known.findings}
    assert "token-elsewhere" in {finding.id for finding in strange.findings}


def test_a_hidden_octet_of_the_approvers_network_is_not_another_address() -> None:
    hidden = OFFICE | {"IPAddress": "192.0.2.XXX", "AutonomousSystemNumber": ""}
    elsewhere = OFFICE | {"IPAddress": "198.51.100.XXX", "AutonomousSystemNumber": ""}
    same, other = (decide(POLICY, approved_and_redeemed(OFFICE, to), Evidence()) for to in (hidden, elsewhere))
    assert not {"legs-apart", "new-network"} & {finding.id for finding in same.findings}
    assert "legs-apart" in {finding.id for finding in other.findings}
