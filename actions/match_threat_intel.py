"""Is an address of the sign-ins on threat intelligence? Both legs are asked about, IPv4 and IPv6, and ranges.

ThreatIntelIndicators only: the older ThreatIntelligenceIndicator takes in nothing since 2025-07-31.
"""

from __future__ import annotations

import ipaddress

from respond.addresses import covers
from respond.clients.kql import Value
from respond.clients.rows import detail, moment, text
from respond.clients.sources import ask
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Indicator, ThreatIntel
from respond.models.signin import SignIns
from respond.step import clients, read_action


@read_action("Log Analytics Reader")
async def match_threat_intel(case: Case, *, signins: SignIns) -> ThreatIntel:
    """Live indicators on the addresses of every completed sign-in."""
    gaps: list[Gap] = []
    span: dict[str, Value] = {
        "from": case.window.end - case.policy.correlation.intel_lookback,
        "now": case.window.end,
    }
    rows = await ask(
        clients(case).logs,
        "match_threat_intel",
        source="ThreatIntelIndicators",
        gaps=gaps,
        addresses=tuple(dict.fromkeys(spelling for ip in signins.addresses for spelling in _spellings(ip))),
        **span,
    )
    indicators = tuple(
        Indicator(
            id=text(row, "Id"),
            at=moment(row, "TimeGenerated"),
            value=text(row, "ObservableValue").lower(),
            confidence=row.get("Confidence") or 0,
            description=str(detail(row, "Data").get("name") or ""),
            tags=text(row, "Tags"),
        )
        for row in rows
        if any(covers(text(row, "ObservableValue").lower(), ip) for ip in signins.addresses)
    )
    return ThreatIntel(indicators=indicators, gaps=tuple(gaps))


def _spellings(ip: str) -> tuple[str, ...]:
    """The address as logged, and as feeds may write it; IPv6 has a short and a long form."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return (ip,)
    return (ip, address.compressed, address.exploded)
