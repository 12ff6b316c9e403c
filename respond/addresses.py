"""Comparing addresses as logs and feeds write them: short and long IPv6, ranges, redacted ones. Pure."""

from __future__ import annotations

import ipaddress


def same_address(one: str, other: str) -> bool:
    """Whether two texts name one address; `2001:DB8::1` and `2001:db8:0:0::1` do. Redacted ones never match."""
    if one == other:
        return bool(one) and "xxx" not in one
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def covers(indicator: str, ip: str) -> bool:
    """Whether an indicator, an address or a range such as `198.51.100.0/24`, names this address."""
    if "/" not in indicator:
        return same_address(indicator, ip)
    try:
        return ipaddress.ip_address(ip) in ipaddress.ip_network(indicator, strict=False)
    except ValueError:
        return False
