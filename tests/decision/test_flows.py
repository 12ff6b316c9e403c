"""From log rows to flows: what folds, what joins, and what an identifier or an address is good for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.rows import read_sign_in, tristate
from respond.models.flows import fold, join_flows
from respond.models.signin import Leg, Risk, SignIn, last_token_at
from tests.helpers.same_address import same_address

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
APPROVALS, REDEMPTIONS = "SigninLogs", "AADNonInteractiveUserSignInLogs"
ZERO = "00000000-0000-0000-0000-000000000000"


def row(number: int = 1, table: str = APPROVALS, **columns: Any) -> SignIn:
    """One row of a hunt; a successful one with a device code marker unless told otherwise."""
    marked = {"At": NOON + timedelta(minutes=number), "Id": f"row-{number}", "ResultType": "0", "IsDeviceCode": True}
    return read_sign_in(marked | columns, table)


def groups(rows: Sequence[SignIn]) -> set[frozenset[str]]:
    return {frozenset(member.id for member in flow.rows) for flow in join_flows(rows)}


COPIES = st.lists(
    st.builds(
        lambda number, table, risk, result: row(number, table, RiskLevelAggregated=risk, ResultType=result),
        st.integers(1, 3),
        st.sampled_from([APPROVALS, REDEMPTIONS]),
        st.sampled_from(["", "hidden", "none", "low", "medium", "high"]),
        st.sampled_from(["0", "50140", "50199"]),
    ),
    max_size=8,
)


@given(rows=COPIES)
def test_copies_of_a_row_fold_into_one_with_the_highest_risk_of_them(rows: list[SignIn]) -> None:
    folded = fold(rows)
    assert sorted((one.table, one.id) for one in folded) == sorted({(one.table, one.id) for one in rows})
    for one in folded:
        copies = [copy for copy in rows if (copy.table, copy.id) == (one.table, one.id)]
        assert one.risk.rank == max(copy.risk.rank for copy in copies)


@given(rows=COPIES)
def test_a_sign_in_that_succeeded_in_any_copy_succeeded(rows: list[SignIn]) -> None:
    for one in fold(rows):
        assert one.succeeded == any(c.succeeded for c in rows if (c.table, c.id) == (one.table, one.id))


@given(rows=COPIES, data=st.data())
def test_the_order_of_the_copies_does_not_matter(rows: list[SignIn], data: st.DataObject) -> None:
    def seen(answer: list[SignIn]) -> list[tuple[str, str, Risk, bool]]:
        return sorted((one.table, one.id, one.risk, one.succeeded) for one in answer)

    assert seen(fold(rows)) == seen(fold(data.draw(st.permutations(rows))))


def test_an_interrupt_that_was_rated_later_does_not_hide_the_success() -> None:
    """MFA settles in one copy of the row, risk arrives with another: the sign-in happened, and it is risky."""
    interrupted, settled = row(ResultType="50140", RiskLevelAggregated="high"), row(RiskLevelAggregated="none")
    for order in permutations([interrupted, settled]):
        (one,) = fold(order)
        assert (one.succeeded, one.risk) == (True, Risk.HIGH)


def test_rows_without_an_id_are_told_apart_by_when_and_where() -> None:
    same = row(Id="", IPAddress="192.0.2.1")
    assert len(fold([same, same])) == 1
    assert len(fold([same, row(Id="", IPAddress="192.0.2.2")])) == 2


def test_the_same_id_in_both_tables_is_two_rows() -> None:
    assert len(fold([row(1, APPROVALS), row(1, REDEMPTIONS)])) == 2


def test_folded_rows_are_oldest_first() -> None:
    assert [one.id for one in fold([row(3), row(1), row(2)])] == ["row-1", "row-2", "row-3"]


@pytest.mark.parametrize("column", ["CorrelationId", "SessionId", "OriginalRequestId"])
def test_rows_that_share_an_identifier_are_one_flow(column: str) -> None:
    shared = {column: "3f0c9a10-0000-4000-8000-00000000000a"}
    upper = {column: "3F0C9A10-0000-4000-8000-00000000000A"}
    (flow,) = join_flows([row(1, **shared), row(2, REDEMPTIONS, **upper), row(2, REDEMPTIONS, Id="third", **shared)])
    assert len(flow.approvals) == 1
    assert len(flow.redemptions) == 2


@pytest.mark.parametrize("column", ["CorrelationId", "SessionId", "OriginalRequestId"])
@pytest.mark.parametrize("nothing", ["", None, ZERO, "0", "-"])
def test_an_empty_identifier_joins_nothing(column: str, nothing: str | None) -> None:
    empty: dict[str, Any] = {column: nothing}
    assert groups([row(1, **empty), row(2, **empty)]) == {frozenset({"row-1"}), frozenset({"row-2"})}


def test_an_empty_row_id_joins_nothing_and_is_no_key() -> None:
    flows = join_flows([row(1, Id="", IPAddress="192.0.2.1"), row(2, Id="", IPAddress="192.0.2.2")])
    assert len(flows) == 2
    assert not set(flows[0].keys) & set(flows[1].keys)


def test_an_identifier_of_one_kind_is_not_taken_for_another() -> None:
    value = "3f0c9a10-0000-4000-8000-00000000000a"
    assert len(join_flows([row(1, CorrelationId=value), row(2, SessionId=value)])) == 2


def test_rows_join_through_others_in_any_order() -> None:
    chain = [
        row(1, CorrelationId="c-1"),
        row(2, REDEMPTIONS, CorrelationId="c-1", SessionId="s-2"),
        row(3, REDEMPTIONS, SessionId="s-2", OriginalRequestId="r-3"),
        row(4, REDEMPTIONS, OriginalRequestId="r-3"),
        row(5, CorrelationId="c-other"),
    ]
    for order in permutations(chain):
        assert groups(order) == {frozenset({"row-1", "row-2", "row-3", "row-4"}), frozenset({"row-5"})}


IDS = st.sampled_from(["", ZERO, "one", "two", "three"])


@given(
    identifiers=st.lists(st.tuples(IDS, IDS, IDS), max_size=7),
    data=st.data(),
)
def test_flows_are_the_connected_parts_whatever_the_order(
    identifiers: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    rows = [
        row(number, CorrelationId=c, SessionId=s, OriginalRequestId=r) for number, (c, s, r) in enumerate(identifiers)
    ]
    flows = join_flows(rows)
    assert flows == join_flows(data.draw(st.permutations(rows)))
    assert sorted(member.id for flow in flows for member in flow.rows) == sorted(one.id for one in rows)
    for flow in flows:
        for other in flows:
            shared = {key for member in flow.rows for key in member.joins} & {
                key for member in other.rows for key in member.joins
            }
            assert not shared or flow is other
    assert [flow.started for flow in flows] == sorted(flow.started for flow in flows)


def test_rows_of_no_device_code_are_a_flow_only_beside_one() -> None:
    linked: dict[str, Any] = {"IsDeviceCode": False}
    assert join_flows([row(1, SessionId="s-1", **linked)]) == ()
    (flow,) = join_flows([row(1, SessionId="s-1", **linked), row(2, SessionId="s-1")])
    assert [member.leg for member in flow.rows] == [Leg.LINKED, Leg.APPROVING]


@pytest.mark.parametrize(
    ("table", "marks", "leg"),
    [
        (APPROVALS, {"IsDeviceCode": True, "IsTransferred": True}, Leg.APPROVING),
        (APPROVALS, {"IsDeviceCode": False, "IsTransferred": True}, Leg.REDEEMING),
        (REDEMPTIONS, {"IsDeviceCode": True, "IsTransferred": False}, Leg.REDEEMING),
        (REDEMPTIONS, {"IsDeviceCode": False, "IsTransferred": True}, Leg.REDEEMING),
        (REDEMPTIONS, {"IsDeviceCode": False, "IsTransferred": False}, Leg.LINKED),
    ],
)
def test_the_markers_and_the_table_say_which_leg_a_row_is(table: str, marks: dict[str, Any], leg: Leg) -> None:
    assert row(1, table, **marks).leg is leg


def test_a_flow_is_completed_by_a_token_and_by_nothing_else() -> None:
    (pending,) = join_flows([row(1, ResultType="50199", SessionId="s"), row(2, ResultType="70016", SessionId="s")])
    assert not pending.completed
    (linked,) = join_flows([row(1, ResultType="50199", SessionId="s"), row(2, IsDeviceCode=False, SessionId="s")])
    assert not linked.completed
    (redeemed,) = join_flows([row(1, REDEMPTIONS)])
    assert redeemed.completed


def ids(rows: Sequence[SignIn]) -> list[str]:
    return [one.id for one in rows]


def test_a_success_without_the_marker_is_an_approval_if_a_marked_row_shares_its_correlation() -> None:
    """The interrupt of a device code is marked, and the success after it may say protocol none."""
    plain: dict[str, Any] = {"IsDeviceCode": False, "SessionId": "s"}
    marked = {"SessionId": "s", "CorrelationId": "c", "ResultType": "50199"}
    (flow,) = join_flows(
        [row(1, **marked), row(2, CorrelationId="c", **plain), row(3, CorrelationId="another", **plain)]
    )
    assert ids(flow.approvals) == ["row-2"]
    assert ids(flow.successes) == ["row-2", "row-3"]
    assert flow.started == NOON + timedelta(minutes=2)


def test_an_interrupt_alone_hints_at_a_device_code_and_marks_none() -> None:
    hint: dict[str, Any] = {"IsDeviceCode": False, "CorrelationId": "c"}
    rows = [row(1, ResultType="50199", **hint), row(2, **hint), row(3, REDEMPTIONS, **hint)]
    (flow,) = join_flows(rows)
    assert (flow.is_marked, flow.completed) == (False, True)
    assert (ids(flow.approvals), ids(flow.redemptions)) == (["row-2"], ["row-3"])
    assert join_flows(rows[1:]) == ()


def test_where_a_row_is_marked_an_interrupt_hints_at_nothing_more() -> None:
    """Another app asked for confirmation in the same session; that sign-in is no device code."""
    asked: dict[str, Any] = {"IsDeviceCode": False, "CorrelationId": "asked", "SessionId": "s"}
    (flow,) = join_flows(
        [row(1, SessionId="s", CorrelationId="code"), row(2, ResultType="50199", **asked), row(3, **asked)]
    )
    assert ids(flow.approvals) == ["row-1"]


def test_a_confirmation_that_defender_saw_is_a_hint_as_the_interrupt_is() -> None:
    (one,) = fold([row(1, IsDeviceCode=False, CorrelationId="c")])
    assert not one.is_hint
    (flow,) = join_flows([one.model_copy(update={"confirmed": True})])
    assert (flow.is_marked, flow.completed) == (False, True)
    assert row(ResultType="50199").is_hint


def test_the_legs_shown_are_the_first_approval_and_the_first_and_newest_redemption() -> None:
    shared = {"SessionId": "s"}
    rows = [row(1, **shared), row(2, **shared), *(row(number, REDEMPTIONS, **shared) for number in (3, 4, 5))]
    (flow,) = join_flows(rows)
    assert [(leg.id, leg.leg) for leg in flow.legs] == [
        ("row-1", Leg.APPROVING),
        ("row-3", Leg.REDEEMING),
        ("row-5", Leg.REDEEMING),
    ]
    assert [leg.id for leg in join_flows(rows[:1])[0].legs] == ["row-1"]
    assert [leg.id for leg in join_flows(rows[2:3])[0].legs] == ["row-3"]


def test_whoever_redeemed_holds_the_token_and_the_approval_speaks_where_nobody_did() -> None:
    (both,) = join_flows([row(1, SessionId="s"), row(2, REDEMPTIONS, SessionId="s")])
    (alone,) = join_flows([row(1)])
    assert (ids(both.holder_rows), ids(alone.holder_rows)) == (["row-2"], ["row-1"])


def test_the_last_token_is_the_newest_success_of_any_leg() -> None:
    session = {"SessionId": "s"}
    first = join_flows(
        [row(1, **session), row(7, REDEMPTIONS, IsDeviceCode=False, **session), row(9, ResultType="50199", **session)]
    )
    other = join_flows([row(5)])
    assert last_token_at((*first, *other)) == NOON + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (True, True),
        (1, True),
        ("true", True),
        ("True", True),
        ("1", True),
        (False, False),
        (0, False),
        ("false", False),
        ("FALSE", False),
        ("0", False),
        (None, None),
        ("", None),
        (" ", None),
        ("unknown", None),
        ({}, None),
        (2, None),
    ],
)
def test_not_reported_is_neither_yes_nor_no(value: object, meaning: bool | None) -> None:
    assert tristate(value) is meaning
    device = row(DeviceDetail={"isManaged": value, "isCompliant": value}).device
    assert (device.managed, device.compliant) == (meaning, meaning)


def test_no_licence_and_no_value_are_less_than_no_risk() -> None:
    assert sorted(Risk, key=lambda risk: risk.rank) == [
        Risk.UNKNOWN,
        Risk.HIDDEN,
        Risk.NONE,
        Risk.LOW,
        Risk.MEDIUM,
        Risk.HIGH,
    ]


@pytest.mark.parametrize(
    ("text", "risk"), [("High", Risk.HIGH), ("hidden", Risk.HIDDEN), ("", Risk.UNKNOWN), ("newValue", Risk.UNKNOWN)]
)
def test_a_risk_level_that_is_not_known_is_not_low(text: str, risk: Risk) -> None:
    assert Risk.read(text) is risk


def test_a_row_carries_the_worse_of_its_two_risks() -> None:
    assert row(RiskLevelDuringSignIn="low", RiskLevelAggregated="high").risk is Risk.HIGH
    assert row(RiskLevelDuringSignIn="medium", RiskLevelAggregated="none").risk is Risk.MEDIUM


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8:0:0::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
    ],
)
def test_one_address_has_many_spellings(one: str, other: str) -> None:
    assert same_address(one, other)
    assert same_address(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ("203.0.113.xxx", "203.0.113.xxx"),
        ("2001:db8:1:2:xxxx:xxxx:xxxx:xxxx", "2001:db8:1:2:xxxx:xxxx:xxxx:xxxx"),
        ("192.0.2.1", "192.0.2.10"),
        ("192.0.2.1", ""),
        ("192.0.2.1", "not an address"),
    ],
)
def test_redacted_and_empty_addresses_match_nothing(one: str, other: str) -> None:
    assert not same_address(one, other)
    assert not same_address(other, one)


@given(one=st.ip_addresses(), other=st.ip_addresses())
def test_addresses_are_the_same_if_they_are_the_same_number(one: Any, other: Any) -> None:
    assert same_address(str(one), str(other)) == (one == other)
    assert same_address(str(one), one.exploded.upper())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "not json"])
def test_text_that_is_not_an_object_is_read_as_no_detail(text: str) -> None:
    sign_in = row(DeviceDetail=text, LocationDetails=text)
    assert (sign_in.device.id, sign_in.city, sign_in.country) == ("", "", "")
