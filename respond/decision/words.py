"""How findings and headlines spell things. Pure."""

from __future__ import annotations

from respond.models.signin import SignIn


def where(row: SignIn) -> str:
    """`203.0.113.24 (US, AS64500)`."""
    known = [row.country, f"AS{row.asn}" if row.asn else ""]
    return f"{row.ip} ({', '.join(filter(None, known))})" if any(known) else row.ip


def times(count: int) -> str:
    """`1 time`, `3 times`."""
    return f"{count} time{'' if count == 1 else 's'}"
