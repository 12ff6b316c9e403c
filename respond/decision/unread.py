"""How much a source that could not be read might have weighed. Pure.

A gap never lowers suspicion. How far the verdict might have been worse is the most that findings from it may weigh.
"""

from __future__ import annotations

from respond.decision.bounds import capped
from respond.decision.rules import AGAINST
from respond.models.base import Gap
from respond.models.evidence import Part
from respond.models.policy import Policy

_LEGS = frozenset({"SigninLogs", "AADNonInteractiveUserSignInLogs"})
"""What the hunt itself reads: a row that is not there can hide whatever is known of its sign-in."""
_PARTS: dict[str, frozenset[Part]] = {
    "AADGraphActivityLogs": frozenset({Part.USES}),
    "AADNonInteractiveUserSignInLogs": frozenset({Part.HISTORY, Part.SHARED}),
    "AuditLogs": frozenset({Part.FOOTHOLDS}),
    "CloudAppEvents": frozenset({Part.USES}),
    "EmailAttachmentInfo": frozenset({Part.LURES}),
    "EmailEvents": frozenset({Part.LURES, Part.USES}),
    "EmailPostDeliveryEvents": frozenset({Part.LURES}),
    "EmailUrlInfo": frozenset({Part.LURES, Part.LURE_INTEL}),
    "MessageEvents": frozenset({Part.LURES}),
    "MessageUrlInfo": frozenset({Part.LURES}),
    "MicrosoftGraphActivityLogs": frozenset({Part.USES}),
    "OfficeActivity": frozenset({Part.USES, Part.FOOTHOLDS}),
    "SigninLogs": frozenset({Part.HISTORY, Part.SHARED}),
    "ThreatIntelIndicators": frozenset({Part.INTEL, Part.LURE_INTEL}),
    "ThreatIntelligenceIndicator": frozenset({Part.INTEL, Part.LURE_INTEL}),
    "UrlClickEvents": frozenset({Part.LURES}),
    "riskyUsers": frozenset({Part.STANDING}),
}


def could_weigh(gap: Gap, policy: Policy) -> int:
    """The most points that findings from the source may add, at most 100; 0 for what no finding stands on."""
    names = [name.strip() for name in gap.source.split(",")]
    tables = (name.split(".")[0].split(" ")[0] for name in names)
    parts = (
        frozenset(Part)
        if not _LEGS.isdisjoint(names)
        else frozenset().union(*(_PARTS.get(table, frozenset()) for table in tables))
    )
    return min(100, capped(policy, [(rule, rule.most(policy)) for rule in AGAINST if rule.needs & parts]))


def weighed(gap: Gap, policy: Policy) -> Gap:
    """The gap, and how much it may hide."""
    return gap.model_copy(update={"could_weigh": could_weigh(gap, policy)})
