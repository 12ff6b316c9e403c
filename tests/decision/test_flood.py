"""An attacker decides how many rows a token makes: the cost of a row must not grow with their number."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import timedelta

import pytest

from actions.hunt_device_code_signins import MOST_ROWS, _bounded
from bench.flood import NOW, decided, sign_ins
from respond.models.evidence import Evidence
from respond.models.flows import fold, join_flows
from respond.models.signin import SignIns
from respond.models.timeline import timeline
from tests.decision.test_decision import REDEMPTIONS, TOR, sign_in

_TIMES = 8
_LINEAR = 2.5
"""So much may a row cost more among eight times as many: memory is slower than the caches of a processor."""


def _cheapest(work: Callable[[], float]) -> float:
    gc.collect()
    return min(work() for _ in range(3))


def test_the_decision_on_a_token_at_many_addresses_takes_time_in_proportion_to_them() -> None:
    few, many = _cheapest(lambda: decided(500, beside=500)), _cheapest(lambda: decided(4000, beside=4000))
    assert many < few * _TIMES * _LINEAR
    assert many < 2


def test_many_correlations_of_one_session_are_one_sign_in() -> None:
    (flow,) = sign_ins(2000).flows
    assert len(flow.rows) == 2001
    assert len(flow.redemptions) == 2000
    assert len(timeline(SignIns(flows=(flow,)), Evidence())) == 41


@pytest.mark.parametrize("order", [1, -1], ids=["oldest-first", "newest-first"])
def test_rows_that_share_an_identifier_through_others_are_one_sign_in_in_any_order(order: int) -> None:
    chain = [
        sign_in(
            REDEMPTIONS, number, **TOR, Id=f"r{number}", CorrelationId=f"c{number // 2}", SessionId=f"s{-number // 2}"
        )
        for number in range(30)
    ]
    assert len(join_flows(fold(chain[::order]))) == 1


def test_more_rows_than_are_judged_are_a_gap_that_counts_them() -> None:
    one = sign_in(REDEMPTIONS, 0, **TOR)
    rows = [one.model_copy(update={"id": f"r{n}", "at": NOW + timedelta(seconds=n)}) for n in range(MOST_ROWS + 5)]
    kept, cut = _bounded({"user": rows, "other": [one]})
    assert (len(kept["user"]), len(kept["other"])) == (MOST_ROWS, 1)
    assert {row.id for row in kept["user"]} >= {"r0", f"r{MOST_ROWS + 4}"}
    assert "5 between the oldest and the newest" in cut["user"][0].reason
    assert "other" not in cut
