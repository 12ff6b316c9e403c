"""Is a suspected lure on threat intelligence? The hosts of its links, their parent domains, and the links.

A link that no query can carry, because of its length or a sign in it, is looked up by its host; what has no host that
can be asked about is counted as a gap. The attacker chooses the links of a lure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from actions.match_threat_intel import OLD_TABLE, read_indicator
from respond.addresses import domains_of
from respond.clients.kql import can_carry
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Lures, ThreatIntel
from respond.step import inquiry, read_action

_MOST_LINKS, _LONGEST_LINK, _MOST_HOSTS = 500, 2000, 2000


@read_action("Log Analytics Reader")
async def match_lure_intel(case: Case, *, lures: Sequence[Lures]) -> ThreatIntel:
    """Live indicators on the links of these messages and clicks."""
    links = dict.fromkeys(link.lower() for found in lures for link in found.links)
    names = {link: tuple(filter(can_carry, domains_of(link) or domains_of(f"//{link}"))) for link in links}
    hosts = tuple(islice(_each(names.values()), _MOST_HOSTS))
    urls = tuple(islice((link for link in links if can_carry(link) and len(link) <= _LONGEST_LINK), _MOST_LINKS))
    left_out = tuple(_left_out(names, set(hosts), set(urls)))
    if not hosts and not urls:
        return ThreatIntel(gaps=left_out)
    asking = inquiry(case, "match_lure_intel")
    rows = await asking.ask(
        "match_lure_intel",
        source="ThreatIntelIndicators (lures)",
        hosts=hosts,
        urls=urls,
        old_from=case.window.end - OLD_TABLE,
        now=case.window.end,
        **{"from": case.window.end - case.policy.correlation.intel_lookback},
    )
    return ThreatIntel(indicators=tuple(map(read_indicator, rows)), gaps=(*asking.gaps, *left_out))


def _left_out(names: Mapping[str, Sequence[str]], hosts: set[str], urls: set[str]) -> Iterable[Gap]:
    """What no question names: whole links, and links of which not even the host was asked about."""
    by_host = sum(1 for link, known in names.items() if link not in urls and hosts & set(known))
    unasked = sum(1 for link, known in names.items() if link not in urls and not hosts & set(known))
    if by_host:
        yield Gap(source="lures", reason=f"links that were looked up by their host only: {by_host}")
    if unasked:
        yield Gap(source="lures", reason=f"links that were not looked up, nor their hosts: {unasked}")


def _each(names: Iterable[Sequence[str]]) -> Iterable[str]:
    """Each name once: of every link the whole host first, so that the many labels of one push out no other."""
    kept = sorted(((place, name) for one in names for place, name in enumerate(one)), key=lambda found: found[0])
    return dict.fromkeys(name for _, name in kept)
