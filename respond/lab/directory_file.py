"""`directory.json`: what Microsoft Graph would answer, as Graph-shaped objects.

A user with a `deletedDateTime` is deleted: nothing under `/users` finds it, although other objects may still name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    "applications": ("id",),
    "oauth2PermissionGrants": ("id",),
    "riskyUsers": ("id",),
    "subscribedSkus": ("id", "skuPartNumber"),
    "conditionalAccessPolicies": ("id",),
}
"""Collection -> the properties that every object in it must have, as text."""

PER_USER = ("messageRules", "authenticationMethods")
"""Collections that map a user id to a list of objects."""

DELETED_USERS = "deletedUsers"
"""Where the lab keeps the users that are deleted."""


def read_directory(path: Path) -> dict[str, Any]:
    """Collection -> objects, every collection present. A missing file is an empty directory.

    Raises:
        UsageError: not JSON, an unknown collection, or an object without its key.
    """
    empty: dict[str, Any] = {**{name: [] for name in LISTS}, **{name: {} for name in PER_USER}}
    if not path.exists():
        return empty
    content = parse(read_text(path), path)
    check_directory(content, f"{path}:")
    return {**empty, **content}


def check_directory(content: Any, where: str) -> None:
    """Check a directory, or a part of one.

    Args:
        where: what messages begin with.

    Raises:
        UsageError: as `read_directory`.
    """
    if not isinstance(content, dict):
        raise UsageError(f"{where} must be a JSON object of collections")
    if unknown := sorted(set(content) - set(LISTS) - set(PER_USER)):
        raise UsageError(f"{where} unknown collection {unknown[0]!r}; known are {', '.join((*LISTS, *PER_USER))}")
    for name, value in content.items():
        if name in LISTS:
            _check_list(value, f"{where} {name}", name)
        else:
            _check_per_user(value, f"{where} {name}")


def rows(directory: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(collection, key, name, body) of every object, as the lab stores them; for `PER_USER` of every list."""
    for collection, content in directory.items():
        if collection in PER_USER:
            yield from ((collection, user_id, "", json.dumps(items)) for user_id, items in content.items())
            continue
        for item in content:
            name = item.get("userPrincipalName") or item.get("deviceId") or item.get("appId") or ""
            is_deleted = collection == "users" and item.get("deletedDateTime")
            stored_in = DELETED_USERS if is_deleted else collection
            yield stored_in, object_key(collection, item), str(name), json.dumps(item)


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
