"""What is wrong with a setting, where it was said, and what to write instead."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from respond import secret_files, tenants
from respond.settings.whole import Settings


def not_json(error: ValueError) -> str:
    """Which variable it was; pydantic-settings names the section alone."""
    text = error.__cause__.doc if isinstance(error.__cause__, json.JSONDecodeError) else None
    found = sorted(name for name, value in os.environ.items() if name.startswith("RESPOND_") and value == text)
    return f'{found[0]}: is not JSON; a list is written ["a", "b"]' if found else str(error)


def explain(error: ValidationError, path: Path, *, tenant: str = "", own: dict[str, Any] | None = None) -> str:
    """One line for the first mistake.

    Args:
        tenant: whose settings they are, where there are several.
        own: what is said of that tenant alone.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    parts = tuple(str(part) for part in first["loc"])
    key, prefix, of = ".".join(parts), "RESPOND_", ""
    if tenant and _holds(own or {}, first["loc"]):
        prefix, of = tenants.prefix(tenant), f"tenants.{tenant}."
    # A list or a table is one variable, and the mistake may lie within.
    names = (prefix + "__".join(parts[:length]).upper() for length in range(len(parts), 1, -1))
    variable = next((name for name in names if name in os.environ), "")
    given = secret_files.given(tuple(f"{of}{key}".split(".")), path)
    where = f"environment {variable}" if variable else str(given)
    what = _unknown(first["loc"]) if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{where}: {of}{key}: {what}"


def _holds(values: dict[str, Any], place: tuple[int | str, ...]) -> bool:
    """Whether a tenant's own values say something there, as far as they are tables."""
    found: object = values
    for part in place:
        if not isinstance(found, dict):
            return True
        if part not in found:
            return False
        found = found[part]
    return True


def _unknown(place: tuple[int | str, ...]) -> str:
    """What to write instead of a key that nobody knows: the most alike, or one of all."""
    known = list(_keys(Settings, place[:-1]))
    alike = difflib.get_close_matches(str(place[-1]), known, n=1)
    other = f"did you mean {alike[0]}?" if alike else f"known: {', '.join(known)}" if known else "take it out"
    return f"is not a known key; {other}"


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> Iterator[str]:
    """The keys of the section at a place; none where there is no such section."""
    for part in place:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return
        model = field.annotation
    yield from (field.alias or name for name, field in model.model_fields.items())
