"""Services on labs, and the state that they leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import postgres


@pytest.fixture(scope="session")
def pg() -> Iterator[postgres.Uri]:
    """One PostgreSQL server for all tests."""
    with postgres.server() as uri:
        yield uri


@pytest.fixture
def pg_url(pg: postgres.Uri) -> Iterator[str]:
    """A database of the test's own."""
    with postgres.database(pg) as url:
        yield url
