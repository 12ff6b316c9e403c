"""The state database, for commands that ask nothing else: no tenant, no lab, no engine."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from respond import tenants
from respond.errors import UsageError
from respond.settings import config_dir, load_settings, load_tenants, state_url

if TYPE_CHECKING:
    from respond.store.cases import Store


def open_store(config: str | None) -> Store:
    """Open it; the caller closes it.

    Raises:
        UsageError: a setting is wrong, or the database cannot be opened.
    """
    from respond.store.cases import Store

    return Store(state_url(load_settings(config_dir(config))))


def open_store_of(case: str, config: str | None) -> Store:
    """Open that of the tenant which has the case; from then on the process works for it.

    So what a ticket says to type is right as it stands, also with more than one tenant.

    Raises:
        UsageError: as `open_store`, or no tenant has the case, or more than one.
    """
    several = {} if tenants.chosen() else load_tenants(config_dir(config))
    if several:
        os.environ[tenants.VARIABLE] = _whose(case.upper(), {name: state_url(one) for name, one in several.items()})
    return open_store(config)


def _whose(case: str, urls: dict[str, str]) -> str:
    from respond.store.cases import Store

    found = []
    for name, url in urls.items():
        with closing(Store(url)) as store:
            if store.has(case):
                found.append(name)
    if len(found) != 1:
        told = f"{' and '.join(found)} have" if found else f"none of {', '.join(urls)} has"
        raise UsageError(f"--tenant: {told} a case {case[:40]}; `respond cases` lists them")
    return found[0]
