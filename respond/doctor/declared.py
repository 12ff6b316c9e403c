"""What each action needs, read from the actions themselves."""

from __future__ import annotations

import importlib
import pkgutil
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
