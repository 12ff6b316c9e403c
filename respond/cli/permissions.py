"""`respond permissions`: what each action needs, read from the actions themselves."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Need:
    """One action that needs a permission.

    Attributes:
        what: the action does, in a sentence.
        writes: whether it changes something; a dry run does without.
    """

    permission: str
    action: str
    what: str
    writes: bool


def needs() -> Iterator[Need]:
    """Every permission of every action."""
    import actions

    for module in pkgutil.iter_modules(actions.__path__):
        found: Any = importlib.import_module(f"actions.{module.name}")
        action = getattr(found, module.name)
        what = str(found.__doc__).strip().splitlines()[0]
        yield from (Need(permission, module.name, what, action.writes) for permission in action.permissions)


def list_permissions(*, as_json: bool) -> int:
    """One block a permission: who needs it, what for."""
    found: dict[str, list[Need]] = {}
    for need in needs():
        found.setdefault(need.permission, []).append(need)
    if as_json:
        rows = [
            {
                "permission": name,
                "writes": any(need.writes for need in found[name]),
                "actions": [{"name": need.action, "why": need.what, "writes": need.writes} for need in found[name]],
            }
            for name in sorted(found)
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    from respond.console.tables import print_permissions

    print_permissions({name: [(need.action, need.what, need.writes) for need in found[name]] for name in sorted(found)})
    return 0
