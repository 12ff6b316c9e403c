"""Changing single values of a TOML file that a person has written: comments, order and spelling of the rest stay.

Lines are edited, and the outcome is read again: unless it is the file with those values and no other change, nothing is
done and the key is named.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from respond.errors import UsageError

Values = Mapping[tuple[str, str], str]
"""(section, key) -> text, such as ("tenant.read", "kind") -> "certificate"."""


def value_of(document: Mapping[str, Any], section: str, key: str) -> object:
    """What a parsed file has there; None where it has nothing."""
    table: Any = document
    for name in (*section.split("."), key):
        table = table.get(name) if isinstance(table, dict) else None
    return table


def with_values(text: str, values: Values) -> str:
    """The file with these values set, in the sections that have them, else in new sections at its end.

    Raises:
        UsageError: the file is not TOML, or has one of them in a form that cannot be edited line by line.
    """
    before = tomllib.loads(text)
    missing = dict(values)
    lines, section = [], ""
    for line in text.splitlines():
        added: list[str] = []
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", line):
            section = _name(header[1])
            added = _take(missing, section, lambda key: value_of(before, section, key) is None)  # noqa: B023
        elif (key := re.match(r"\s*([\w-]+|\"[^\"]*\"|'[^']*')\s*=\s*", line)) and (
            (value := missing.pop((section, _name(key[1])), None)) is not None
        ):
            line = line[: key.end()] + json.dumps(value) + _comment(line[key.end() :])  # noqa: PLW2901
        lines += [line, *added]
    for name in dict.fromkeys(section for section, _ in missing):
        lines += ["", f"[{name}]", *_take(missing, name, lambda _: True)]
    edited = "\n".join(lines) + "\n"
    _check(before, edited, values)
    return edited


def _take(missing: dict[tuple[str, str], str], section: str, is_new: Callable[[str], bool]) -> list[str]:
    """Lines for the values that a section lacks; they are missing no longer."""
    found = [name for name in missing if name[0] == section and is_new(name[1])]
    return [f"{name[1]} = {json.dumps(missing.pop(name))}" for name in found]


def _comment(rest: str) -> str:
    """What follows a value of one line: a comment, or nothing."""
    found = re.match(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^#"'])*?(\s*#.*)$""", rest)
    return found[1] if found else ""


def _name(spelled: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in spelled.split("."))


def _check(before: dict[str, Any], edited: str, values: Values) -> None:
    wanted = before
    for (section, key), value in values.items():
        table: Any = wanted
        for name in section.split("."):
            table = table.setdefault(name, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict):
            table[key] = value
    try:
        is_right = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        section, key = min(values)
        raise UsageError(f"respond.toml has [{section}] in a form that is not edited here; write {key} there by hand")
