"""What the ticket asks a person to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from respond.models.base import Gap
from respond.models.persistence import Accounted, Fate
from respond.models.tasks import Recipients

_MOST_NAMED = 25


def tasks_for(account: Sequence[Accounted], others: Recipients, gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Each in a sentence: what no call of Graph does, what was not found, and what could not be looked for."""
    left = (one.says for one in account if one.is_open)
    unread = (f"look by hand: {gap.source}: {gap.reason}" for gap in gaps)
    return tuple(dict.fromkeys((*left, *_purge(others), *unread)))


def gone_already(account: Sequence[Accounted]) -> tuple[str, ...]:
    """What was there, and is not any more, each in a sentence."""
    return tuple(f"{one.what} {one.name}".strip() + f": {one.says}" for one in account if one.fate is Fate.GONE)


def _purge(others: Recipients) -> Iterator[str]:
    there = [one for one in others.people if "quarantine" not in one.location.lower()]
    if there:
        names = list(dict.fromkeys(one.address for one in there))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        messages = ", ".join(dict.fromkeys(one.message for one in there if one.message))
        yield (
            f"purge the lure in Defender (Explorer, soft delete), network message id {messages[:400]}: delivered to "
            f"{', '.join(names[:_MOST_NAMED])}{more}"
        )
        yield "ask them whether they followed the link; respond hunt shows who redeemed a code"
    yield from (f"who else got the lure could not be read: {gap.reason}" for gap in others.gaps)
