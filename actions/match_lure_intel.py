"""Is a suspected lure on threat intelligence? The hosts of its links, their parent domains, and the links."""

from __future__ import annotations

from collections.abc import Sequence

from actions.match_threat_intel import OLD_TABLE, read_indicator
from respond.addresses import domains_of
from respond.clients.kql import can_carry
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Lures, ThreatIntel
from respond.step import inquiry, read_action

_MOST_LINKS, _LONGEST_LINK = 500, 2000


@read_action("Log Analytics Reader")
async def match_lure_intel(case: Case, *, lures: Sequence[Lures]) -> ThreatIntel:
    """Live indicators on the links of these messages and clicks."""
    links = dict.fromkeys(link.lower() for found in lures for link in found.links)
    urls = tuple(link for link in links if can_carry(link))[:_MOST_LINKS]
    hosts = tuple(dict.fromkeys(domain for url in urls for domain in domains_of(url)))
    if not hosts:
        return ThreatIntel()
    asking = inquiry(case, "match_lure_intel")
    rows = await asking.ask(
        "match_lure_intel",
        source="ThreatIntelIndicators (lures)",
        hosts=hosts,
        urls=tuple(url for url in urls if len(url) <= _LONGEST_LINK),
        old_from=case.window.end - OLD_TABLE,
        now=case.window.end,
        **{"from": case.window.end - case.policy.correlation.intel_lookback},
    )
    left_out = len(links) - len(urls)
    cut = (Gap(source="lures", reason=f"{left_out} more links were not looked up"),) if left_out > 0 else ()
    return ThreatIntel(indicators=tuple(map(read_indicator, rows)), gaps=(*asking.gaps, *cut))
