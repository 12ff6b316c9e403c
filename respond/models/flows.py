"""From rows to flows: duplicates folded, legs joined. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from respond.models.signin import Flow, SignIn


def fold(rows: Iterable[SignIn]) -> list[SignIn]:
    """One row per table and Id, with the highest risk that any copy carried; oldest first.

    Entra sends a sign-in again when risk is added later, when MFA settles, or when a batch is repeated.
    https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq
    """
    kept: dict[tuple[str, str], SignIn] = {}
    for row in rows:
        key = (row.table, row.id) if row.id else (row.table, f"{row.at.isoformat()}{row.correlation_id}{row.ip}")
        kept[key] = _merged(kept[key], row) if key in kept else row
    return sorted(kept.values(), key=lambda row: (row.at, row.id))


def _merged(one: SignIn, other: SignIn) -> SignIn:
    """Two copies of one sign-in: a success in either issued a token, and the risk of the worse one counts."""
    best = max(one, other, key=lambda copy: (copy.succeeded, copy.at, copy.result, copy.model_dump_json()))
    return best.model_copy(update={"risk": max(one.risk, other.risk, key=lambda risk: risk.rank)})


def join_flows(rows: Iterable[SignIn]) -> tuple[Flow, ...]:
    """Group rows of one user that share an identifier, directly or through others; oldest flow first.

    A group without a device code marker is kept where the 50199 interrupt hints at one.

    A session id may be shared by two people, so the rows have to be one user's.
    """
    groups: list[tuple[set[str], list[SignIn]]] = []
    for number, row in enumerate(rows):
        keys, members = set(row.joins) or {f"i:{row.id or number}"}, [row]
        for group in [group for group in groups if group[0] & keys]:
            keys |= group[0]
            members = group[1] + members
            groups.remove(group)
        groups.append((keys, members))
    flows = [Flow(rows=tuple(sorted(members, key=lambda row: (row.at, row.id)))) for _, members in groups]
    marked = [flow for flow in flows if flow.is_marked or any(row.is_hint for row in flow.rows)]
    return tuple(sorted(marked, key=lambda flow: (flow.started, flow.keys)))
