"""Is an address of the sign-ins on threat intelligence? Both legs are asked about, IPv4 and IPv6, and ranges.

ThreatIntelIndicators, and the older ThreatIntelligenceIndicator as long as its entries are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from respond.clients.rows import Row, moment, text
from respond.models.case import Case
from respond.models.evidence import Account, Indicator, ThreatIntel
from respond.step import inquiry, read_action

OLD_TABLE = timedelta(days=365)
"""How far back the old table is read: nothing renews its entries any more."""


@read_action("Log Analytics Reader")
async def match_threat_intel(case: Case, *, people: Sequence[Account]) -> ThreatIntel:
    """Live indicators on the addresses that these people signed in from."""
    asking = inquiry(case, "match_threat_intel")
    rows = await asking.ask(
        "match_threat_intel",
        source="ThreatIntelIndicators",
        user_ids=tuple(who.id for who in people),
        since=case.history_start,
        old_from=case.window.end - OLD_TABLE,
        now=case.window.end,
        **{"from": case.window.end - case.policy.correlation.intel_lookback},
    )
    return ThreatIntel(indicators=tuple(map(read_indicator, rows)), gaps=asking.gaps)


def read_indicator(row: Row) -> Indicator:
    """One row of the threat intelligence queries."""
    return Indicator(
        id=text(row, "Id"),
        at=moment(row),
        value=text(row, "Value").lower(),
        confidence=row.get("Confidence") or 0,
        description=text(row, "Name"),
        tags=text(row, "Tags"),
        table=text(row, "Source"),
    )
