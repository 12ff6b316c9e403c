"""Two tenants: no state that both would share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_common_state(_apart: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
