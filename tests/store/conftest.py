"""A state database of each kind, empty, with a second store on it where two processes are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from respond.store.cases import Store
from tests.helpers import postgres

Open = Callable[[], Store]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same database as often as it is called."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'state.db'}"
        else:
            url = stack.enter_context(postgres.database(request.getfixturevalue("pg")))

        def open_it() -> Store:
            found = Store(url)
            stack.callback(found.close)
            return found

        yield open_it


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """Where the kind of database makes no difference."""
    found = Store(f"sqlite:///{tmp_path / 'only.db'}")
    yield found
    found.close()
