"""The state database, for commands that ask nothing else: no tenant, no lab, no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.settings import config_dir, load_settings, state_url

if TYPE_CHECKING:
    from respond.store.cases import Store


def open_store(config: str | None) -> Store:
    """Open it; the caller closes it.

    Raises:
        UsageError: a setting is wrong, or the database cannot be opened.
    """
    from respond.store.cases import Store

    return Store(state_url(load_settings(config_dir(config))))
