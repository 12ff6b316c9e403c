"""Both legs of a device code sign-in beside each other: who approved, and who holds the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from respond.defang import defang
from respond.models.signin import Leg, LegRow

_TITLES = {Leg.APPROVING: "approved", Leg.REDEEMING: "redeemed", Leg.LINKED: "same session"}
_LINES: tuple[tuple[str, Callable[[LegRow], str]], ...] = (
    ("when", lambda row: f"{row.at:%d %b %H:%M:%SZ}"),
    ("address", lambda row: row.ip or "not shown"),
    ("network", lambda row: " ".join(filter(None, (f"AS{row.asn}" if row.asn else "", row.country))) or "not known"),
    ("app", lambda row: row.app),
    ("resource", lambda row: row.resource),
    ("client", lambda row: row.client or "not reported"),
    ("managed", lambda row: _three(value=row.managed)),
    ("compliant", lambda row: _three(value=row.compliant)),
    ("risk", lambda row: row.risk.value),
    ("row", lambda row: f"{row.table} {row.id}"),
)
_SAME = frozenset({"when", "row", "risk", "app", "resource"})
"""Lines whose difference says nothing."""


def side_by_side(legs: Sequence[LegRow]) -> Table:
    """A column a leg; what differs between them stands out."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("legs", style="dim", header_style="dim", width=9)
    for number, row in enumerate(legs):
        again = row.leg is Leg.REDEEMING and any(other.leg is row.leg for other in legs[:number])
        table.add_column("newest refresh" if again else _TITLES.get(row.leg, row.leg.value), overflow="fold")
    for name, read in _LINES:
        cells = [defang(read(row)) for row in legs]
        style = "bold" if name not in _SAME and len(set(cells)) > 1 else ""
        table.add_row(name, *(Text(cell, style=style) for cell in cells))
    if not any(row.leg is Leg.REDEEMING for row in legs):
        table.caption = "no row shows who redeemed the code"
        table.caption_justify = "left"
    return table


def _three(*, value: bool | None) -> str:
    return {True: "yes", False: "no", None: "not reported"}[value]
