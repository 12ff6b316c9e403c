"""`respond freeze` and `respond thaw`: the brake that a person pulls, in the database that all processes share."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime

from respond import tenants
from respond.models.brakes import Freeze
from respond.settings import config_dir, load_settings, state_url, tenant_of
from respond.who_am_i import operator


def freeze(*, why: str, name: str | None, config: str | None) -> int:
    """Freeze the tenant of the settings; one that is frozen stays as it is."""
    from respond.store.cases import Store

    settings, by = load_settings(config_dir(config)), operator(name)
    tenant = tenant_of(settings)
    with closing(Store(state_url(settings))) as store:
        is_new = store.brakes.freeze(tenant, by, why, datetime.now(UTC))
        found = store.brakes.frozen(tenant)
    if found is None:
        sys.stdout.write(f"tenant {tenant}: was frozen, and somebody else has thawed it since\n")
    else:
        sys.stdout.write(
            f"tenant {tenant}: frozen {'' if is_new else 'already, '}{_since(found)}; thaw: respond thaw{_option()}\n"
        )
    return 0


def thaw(*, name: str | None, config: str | None) -> int:
    """End the freeze of the tenant of the settings, if there is one."""
    from respond.store.cases import Store

    settings, by = load_settings(config_dir(config)), operator(name)
    tenant = tenant_of(settings)
    with closing(Store(state_url(settings))) as store:
        found = store.brakes.frozen(tenant)
        is_over = store.brakes.thaw(tenant, by, datetime.now(UTC))
    if not is_over:
        sys.stdout.write(f"tenant {tenant}: is not frozen\n")
    elif found:
        sys.stdout.write(f"tenant {tenant}: thawed by {by}; it was frozen {_since(found)}\n")
    else:
        sys.stdout.write(f"tenant {tenant}: thawed by {by}; it was frozen a moment ago\n")
    return 0


def _option() -> str:
    """What the same tenant is named by, where there are several."""
    return f" --tenant {tenants.chosen()}" if tenants.chosen() else ""


def _since(found: Freeze) -> str:
    why = f" ({found.why})" if found.why else ""
    return f"since {found.at:%Y-%m-%d %H:%M:%SZ} by {found.by}{why}"
