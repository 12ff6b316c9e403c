"""`directory.json`: what Microsoft Graph would answer, as Graph-shaped objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab.columns import EXPECTED, split_timestamp
from respond.lab.json_file import parse, read_text

LISTS: dict[str, tuple[str, ...]] = {
    "users": ("id", "userPrincipalName"),
    "groups": ("id",),
    "roleAssignments": ("principalId", "roleDefinitionId"),
    "devices": ("id",),
    "servicePrincipals": ("id",),
    "oauth2PermissionGrants": ("id",),
    "riskyUsers": ("id",),
}
"""Collection -> the properties that every object in it must have, as text."""

PER_USER = ("messageRules", "authenticationMethods")
"""Collections that map a user id to a list of objects."""


def read_directory(path: Path) -> dict[str, Any]:
    """Collection -> objects, every collection present. A missing file is an empty directory.

    Raises:
        UsageError: not JSON, an unknown collection, or an object without its key.
    """
    empty: dict[str, Any] = {**{name: [] for name in LISTS}, **{name: {} for name in PER_USER}}
    if not path.exists():
        return empty
    content = parse(read_text(path), path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: must be a JSON object of collections")
    if unknown := sorted(set(content) - set(empty)):
        raise UsageError(f"{path}: unknown collection {unknown[0]!r}; known are {', '.join(empty)}")
    for name, value in content.items():
        if name in LISTS:
            _check_list(value, f"{path}: {name}", name)
        else:
            _check_per_user(value, f"{path}: {name}")
    return empty | content


def object_key(collection: str, item: dict[str, Any]) -> str:
    """What identifies an object inside its collection."""
    if collection == "roleAssignments":
        return f"{item['principalId']}|{item['roleDefinitionId']}"
    return str(item["id"])


def _check_list(value: Any, where: str, collection: str) -> None:
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list")
    seen: set[str] = set()
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise UsageError(f"{where}[{index}] must be an object")
        for name in LISTS[collection]:
            if not isinstance(item.get(name), str) or not item[name]:
                raise UsageError(f"{where}[{index}] needs {name!r} as text")
        key = object_key(collection, item).lower()
        if key in seen:
            raise UsageError(f"{where}[{index}] repeats {key}")
        seen.add(key)
        _check_dates(item, f"{where}[{index}]")


def _check_per_user(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be an object, user id to list")
    for user_id, items in value.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UsageError(f"{where}.{user_id} must be a list of objects")
        for index, item in enumerate(items):
            _check_dates(item, f"{where}.{user_id}[{index}]")


def _check_dates(item: dict[str, Any], where: str) -> None:
    for name, value in item.items():
        if not name.endswith("DateTime") or value is None:
            continue
        if not isinstance(value, str) or split_timestamp(value) is None:
            raise UsageError(f"{where}.{name} must be {EXPECTED['datetime']}, not {value!r:.60}")
