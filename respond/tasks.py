"""What the ticket asks a person to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from respond.models.base import Gap
from respond.models.evidence import Evidence, FootholdKind
from respond.models.tasks import Recipients

_MOST_NAMED = 25
_MAILBOX = ("set-mailbox", "new-transportrule")


def tasks_for(evidence: Evidence, others: Recipients, gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Each in a sentence: what no call of Microsoft Graph does, and what could not be looked for."""
    return (*_purge(others), *_forwarding(evidence), *(f"look by hand: {gap.source}: {gap.reason}" for gap in gaps))


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


def _forwarding(evidence: Evidence) -> Iterator[str]:
    for change in evidence.footholds.changes:
        if change.kind is FootholdKind.MAIL_RULE and change.what.lower() in _MAILBOX:
            yield (
                f"{change.what} at {change.at:%Y-%m-%d %H:%M:%SZ}: forwarding of the whole mailbox or the tenant, "
                "which only Exchange can end: Get-Mailbox, Get-TransportRule"
            )
