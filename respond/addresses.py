"""Comparing addresses and hosts as logs and feeds write them: short and long IPv6, ranges, redacted ones. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def same_address(one: str, other: str) -> bool:
    """Whether two texts name one address; `2001:DB8::1` and `2001:db8:0:0::1` do. Redacted ones never match."""
    if one == other:
        return bool(one) and "xxx" not in one
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def neighbours(one: str, other: str) -> bool:
    """Whether two addresses share an IPv4 /24 or an IPv6 /64."""
    try:
        first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    except ValueError:
        return False
    size = 24 if first.version == 4 else 64  # noqa: PLR2004 - the version of the protocol
    return first.version == second.version and second in ipaddress.ip_network(f"{first}/{size}", strict=False)


def canonical(address: str) -> str:
    """One spelling for each address; what is none stays as it is."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError:
        return address


def covers(indicator: str, ip: str) -> bool:
    """Whether an indicator, an address or a range such as `198.51.100.0/24`, names this address."""
    if "/" not in indicator:
        return same_address(indicator, ip)
    try:
        return ipaddress.ip_address(ip) in ipaddress.ip_network(indicator, strict=False)
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of a link, in lower case; "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def domains_of(url: str) -> tuple[str, ...]:
    """The host of a link, and its parents down to two labels: an indicator on a domain covers what is below it."""
    host = host_of(url)
    labels = host.split(".")
    return tuple(".".join(labels[start:]) for start in range(max(1, len(labels) - 1))) if host else ()
