"""What a case leaves behind for later ones to find: the user, addresses, networks and lures of its sign-ins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from respond.addresses import host_of
from respond.models.evidence import Fact, FactKind, Lures
from respond.models.policy import Policy
from respond.models.signin import SignIns


def facts_of(signins: SignIns, lures: Lures, policy: Policy) -> tuple[Fact, ...]:
    """Each fact once: of whoever holds a token, because where a user approved says little."""
    rows = [row for flow in signins.completed for row in flow.holder_rows]
    facts = [Fact(kind=FactKind.USER, value=row.user_id.lower()) for row in rows]
    facts += [Fact(kind=FactKind.ADDRESS, value=row.ip) for row in rows if row.ip]
    facts += [Fact(kind=FactKind.NETWORK, value=row.asn) for row in rows if row.asn]
    facts += [Fact(kind=FactKind.LURE, value=host) for host in lure_hosts(_links(lures), policy)]
    return tuple(dict.fromkeys(facts))


def _links(lures: Lures) -> Iterable[str]:
    yield from (url for message in lures.messages if message.pattern for url in message.urls)
    yield from (click.url for click in lures.suspect_clicks)


def lure_hosts(links: Iterable[str], policy: Policy) -> tuple[str, ...]:
    """Hosts of links, without Microsoft's own pages: every lure leads there, and so does every honest sign-in."""
    pages = policy.device_login_pages
    own = (url for url in links if not any(re.search(page, url, re.IGNORECASE) for page in pages))
    return tuple(dict.fromkeys(host for host in map(host_of, own) if host))
