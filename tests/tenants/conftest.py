"""Two tenants: no state that both would share; and a house in which a front door serves both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.tenants import Several, several


@pytest.fixture(autouse=True)
def _no_common_state(_apart: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    """Three processes, for all tests that leave both tenants ready; each has victims of its own.

    Its tests are in the xdist group `tenants-house`.
    """
    with several(tmp_path_factory.mktemp("house"), count=9, guarded=True) as running:
        yield running
