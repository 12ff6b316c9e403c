"""Single checks of `respond doctor`, on real clients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from respond.clients.connect import Clients
from respond.doctor.checks import CHECKS, look_at
from respond.doctor.patient import Patient
from respond.models.checkup import Result
from respond.policies import load_policy
from respond.settings import Settings, shipped_config


def policy(**changes: Any) -> Any:
    """The shipped policy with some values changed: `ladder__protected__groups=(…)`."""
    values = load_policy(shipped_config()).model_dump()
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = values
        for section in sections:
            place = place[section]
        assert key in place, path
        place[key] = value
    return type(load_policy(shipped_config())).model_validate(values)


def examined(
    *names: str,
    url: str | None,
    settings: Mapping[str, Any] | None = None,
    rules: Any = None,
    outside: Any = None,
) -> list[Result]:
    """What these checks find.

    Args:
        names: of checks, as `CHECKS` has them.
        url: where the lab answers; None for a real tenant.
        settings: sections of respond.toml.
        rules: the policy.
        outside: the ticket system.
    """
    made = Settings.model_validate(
        dict(settings or {}) if url is None else {"lab": {"url": url}} | dict(settings or {})
    )

    async def look() -> list[Result]:
        clients = Clients(made, read_only=True, lab_url=url, frozen=lambda: None)
        patient = Patient(
            settings=made,
            policy=rules or load_policy(shipped_config()),
            config=Path("config"),
            clients=clients,
            lab_url=url,
            tickets=outside,
        )
        try:
            return list((await look_at(patient, [check for check in CHECKS if check.name in names])).results)
        finally:
            await clients.close()

    assert names
    assert set(names) <= {check.name for check in CHECKS}
    return asyncio.run(look())


def told(*names: str, **given: Any) -> list[tuple[str, str, str]]:
    """Name, status and what was found and is to be done, of each line."""
    return [(found.name, found.status.value, f"{found.found} -> {found.todo}") for found in examined(*names, **given)]


def hurried(**changes: Any) -> dict[str, Any]:
    """Settings under which nothing is tried twice."""
    return {"retry": {"attempts": 1}} | changes
