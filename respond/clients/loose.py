"""Other people's JSON, read tolerantly: keys in any case, null anywhere, objects as text. Nothing here raises.

What comes out is clean: no control characters, no half surrogate pairs, lengths bounded, times plausible and in UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

MOST_TEXT = 200
"""Characters of a text that is kept to be shown."""

_MOST_TEXTS = 100
_NUMBER = re.compile(r"\d{1,15}")
_LARGEST = 10**15
_PLAUSIBLE = range(2000, 2101)
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NOBODY = "00000000-0000-0000-0000-000000000000"


class Part:
    """One object inside a document.

    Args:
        value: parsed JSON; anything but an object reads as an empty one.
        pointer: JSON pointer to it (RFC 6901).
    """

    def __init__(self, value: Any, pointer: str = "") -> None:
        self._value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.pointer = pointer
        self._keys: dict[str, str] = {}
        for key, held in self._value.items():
            if held is not None:
                self._keys.setdefault(key.lower(), key)

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self._keys)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._keys

    def get(self, *names: str) -> Any:
        """The first of these that is there and not null."""
        return next((self._value[self._keys[name.lower()]] for name in names if name in self), None)

    def where(self, name: str) -> str:
        """JSON pointer to one of its values, spelled as in the document."""
        key = self._keys.get(name.lower(), name)
        return f"{self.pointer}/{key.replace('~', '~0').replace('/', '~1')}"

    def raw(self, *names: str) -> str:
        """The first of these that is a text with something in it, as it is: for identifiers, which are checked."""
        found = (value.strip(" ") for value in map(self.get, names) if isinstance(value, str))
        return next(filter(None, found), "")

    def text(self, *names: str, most: int = MOST_TEXT) -> str:
        """The first of these that is a text with something in it, or a whole number; cleaned and cut."""
        for name in names:
            value = self.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
                return str(value)
            if isinstance(value, str) and (found := clean(value, most)):
                return found
        return ""

    def texts(self, name: str, *, of: str = "", most: int = MOST_TEXT) -> tuple[str, ...]:
        """The texts of a list, the first hundred of them, each once.

        Args:
            of: where the list holds objects: which of their texts.
        """
        items = parsed(self.get(name))
        first = islice(items if isinstance(items, list) else [], _MOST_TEXTS)
        parts = (Part({"": item} if isinstance(item, str) else item) for item in first)
        return tuple(dict.fromkeys(filter(None, (part.text("", of, most=most) for part in parts))))

    def number(self, *names: str) -> int | None:
        """A count, also written as text; None where it is none."""
        text = self.text(*names)
        return int(text) if _NUMBER.fullmatch(text) else None

    def guid(self, *names: str) -> str:
        """A GUID in lower case; empty where it is none, or the one of zeros."""
        text = self.text(*names).strip("{}").lower()
        return text if _GUID.fullmatch(text) and text != _NOBODY else ""

    def moment(self, *names: str) -> datetime | None:
        """The first of these that is a time."""
        return next(filter(None, (_moment(self.text(name)) for name in names)), None)

    def part(self, *names: str) -> Part:
        """An object inside it, also one that is written as text; an empty one where there is none."""
        for name in names:
            value = parsed(self.get(name))
            if isinstance(value, dict):
                return Part(value, self.where(name))
        return Part(None, self.where(names[0]))

    def parts(self, name: str) -> Iterator[Part]:
        """The objects of a list."""
        items = self.get(name)
        for index, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                yield Part(item, f"{self.where(name)}/{index}")


def clean(text: str, most: int = MOST_TEXT) -> str:
    """Text on one line without anything invisible, cut to a length."""
    head = text[: 4 * most]
    shown = "".join(character if character.isprintable() else " " for character in head)
    return " ".join(shown.split())[:most].rstrip()


def parsed(value: Any) -> Any:
    """What a text holds as JSON, or the value itself; None for text that is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _moment(text: str) -> datetime | None:
    """ISO 8601 with any number of digits; UTC where no zone is named."""
    try:
        found = datetime.fromisoformat(text)
        at = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year in _PLAUSIBLE else None
