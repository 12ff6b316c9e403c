"""A thousand cases: the memory of the service is flat after the first half, and the state of a case stays small."""

from __future__ import annotations

import pytest

from bench.growth import measure
from tests.helpers.patience import patiently


@pytest.mark.soak
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_thousand_cases_leave_memory_flat_and_little_state(database: str) -> None:
    found = measure(database, 1000)
    assert found.kilobytes[-1] < 60, found
    assert found.megabytes[-1] < found.megabytes[4] * 1.1, found
    assert found.seconds[-1] < patiently(found.seconds[1] * 1.5), found
