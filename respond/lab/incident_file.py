"""`incidents.json`: incidents of Sentinel as Azure Resource Manager shows them, each with its entities and alerts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab.columns import EXPECTED, split_timestamp
from respond.lab.incidents import problem
from respond.lab.json_file import parse, read_text

NAME = re.compile(r"[0-9A-Za-z-]{1,64}")
"""What an incident or a comment may be called: usually a GUID, chosen by whoever creates it."""

_KEYS = ("incident", "entities", "alerts", "entitiesAfter")


def read_incidents(path: Path) -> list[dict[str, Any]]:
    """The entries of the file: `incident`, and where given `entities`, `alerts` and `entitiesAfter` (seconds).

    A missing file is a tenant without incidents. What Sentinel fills in (id, number, owner …) may be left out.

    Raises:
        UsageError: not JSON, or an entry that Sentinel could not have.
    """
    if not path.exists():
        return []
    content = parse(read_text(path), path)
    if not isinstance(content, list):
        raise UsageError(f"{path}: must be a list of entries with 'incident'")
    seen: set[str] = set()
    for index, entry in enumerate(content):
        where = f"{path}: [{index}]"
        _check_entry(entry, where)
        number = entry["incident"]["properties"].get("incidentNumber")
        for key in (entry["incident"]["name"].lower(), *([f"incidentNumber {number}"] if number else [])):
            if key in seen:
                raise UsageError(f"{where} repeats {key}")
            seen.add(key)
    return content


def _check_entry(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be an object")
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise UsageError(f"{where} has an unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    _check_incident(entry.get("incident"), f"{where}.incident")
    for name in ("entities", "alerts"):
        items = entry.get(name, [])
        if not isinstance(items, list):
            raise UsageError(f"{where}.{name} must be a list")
        for index, item in enumerate(items):
            if not isinstance(item, dict) or not isinstance(item.get("properties"), dict):
                raise UsageError(f"{where}.{name}[{index}] must be an object with 'properties'")
            if name == "entities" and not isinstance(item.get("kind"), str):
                raise UsageError(f"{where}.{name}[{index}] needs 'kind' as text")
    after = entry.get("entitiesAfter", 0)
    if isinstance(after, bool) or not isinstance(after, int | float) or after < 0:
        raise UsageError(f"{where}.entitiesAfter must be a number of seconds, not {after!r:.60}")


def _check_incident(incident: Any, where: str) -> None:
    if not isinstance(incident, dict):
        raise UsageError(f"{where} must be an object")
    if not isinstance(incident.get("name"), str) or not NAME.fullmatch(incident["name"]):
        raise UsageError(f"{where} needs 'name' as text of letters, digits and dashes, such as a GUID")
    properties: Any = incident.get("properties")
    if wrong := problem(properties):
        raise UsageError(f"{where} {wrong}")
    number = properties.get("incidentNumber")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise UsageError(f"{where}.properties.incidentNumber must be a number from 1, not {number!r:.60}")
    if not isinstance(properties.get("additionalData") or {}, dict):
        raise UsageError(f"{where}.properties.additionalData must be an object")
    for name, value in properties.items():
        if name.endswith("TimeUtc") and (not isinstance(value, str) or split_timestamp(value) is None):
            raise UsageError(f"{where}.properties.{name} must be {EXPECTED['datetime']}, not {value!r:.60}")
