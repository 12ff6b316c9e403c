"""From rows to flows: duplicates folded, legs joined. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

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
    kept = list(rows)
    flows = [Flow(rows=tuple(sorted(members, key=lambda row: (row.at, row.id)))) for members in _groups(kept)]
    marked = [flow for flow in flows if flow.is_marked or any(row.is_hint for row in flow.rows)]
    return tuple(sorted(marked, key=lambda flow: (flow.started, flow.keys)))


def _groups(rows: Sequence[SignIn]) -> Iterable[list[SignIn]]:
    """Rows that share an identifier, directly or through others, in time that grows with their number and no faster."""
    head = list(range(len(rows)))

    def first(number: int) -> int:
        while head[number] != number:
            head[number] = head[head[number]]
            number = head[number]
        return number

    owner: dict[str, int] = {}
    for number, row in enumerate(rows):
        for key in row.joins or (f"i:{row.id or number}",):
            one, other = sorted((first(owner.setdefault(key, number)), first(number)))
            head[other] = one
    groups: dict[int, list[SignIn]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[first(number)].append(row)
    return groups.values()
