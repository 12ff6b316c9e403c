"""Whose codes were at an address some hours before are in question, wherever midnight lies between."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from respond.decision.cut import _tenant
from respond.models.evidence import AddressDay, SharedAddresses
from tests.decision.test_decision import POLICY

IP = "203.0.113.9"
YESTERDAY = AddressDay(ip=IP, day=datetime(2026, 5, 19, tzinfo=UTC), users=frozenset({"other"}), by_code=True)


@pytest.mark.parametrize(("hour", "others"), [(2, 1), (11, 1), (12, 0), (23, 0)])
def test_a_code_of_the_evening_is_in_question_beside_one_after_midnight(hour: int, others: int) -> None:
    recent = datetime(2026, 5, 20, hour, tzinfo=UTC)
    (use,) = _tenant([IP], SharedAddresses(days=(YESTERDAY,)), "me", recent, POLICY)
    assert (use.code_users, len(use.coded)) == (others, others)
