"""`respond permissions`: what each action needs, read from the actions themselves."""

from __future__ import annotations

import json
import sys

from respond.doctor.declared import Need, needs
from respond.doctor.needs import FAR_REACHING


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
                "optional": name in FAR_REACHING,
                "actions": [{"name": need.action, "why": need.what, "writes": need.writes} for need in found[name]],
            }
            for name in sorted(found)
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    from respond.console.tables import print_permissions

    table = {name: [(need.action, need.what, need.writes) for need in found[name]] for name in sorted(found)}
    apart = {name: table.pop(name) for name in sorted(FAR_REACHING & table.keys())}
    print_permissions(table, optional=apart)
    return 0
