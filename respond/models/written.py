"""What a template may name, and what it has made of a case."""

from __future__ import annotations

from dataclasses import dataclass

_CASE = "account asked case done failed mode outcome planned verdict"
_TICKET = "clicks footholds gone left legs mails sightings tasks timeline"
FACTS = {
    "ticket": frozenset(f"{_CASE} {_TICKET}".split()),
    "limit": frozenset({"account", "case", "reason", "waiting"}),
    "unanswered": frozenset({"about", "case", "mode", "people"}),
    "notice": frozenset(_CASE.split()),
}
"""What each template may name."""


@dataclass(frozen=True)
class Written:
    """What a template has made of a case.

    Attributes:
        trouble: why the shipped template was taken instead; empty when it was not.
    """

    title: str
    body: str
    trouble: str = ""
