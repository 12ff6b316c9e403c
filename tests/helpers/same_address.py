"""Whether two texts name one address, as the product finds out: by its index."""

from __future__ import annotations

from respond.address_index import AddressIndex


def same_address(one: str, other: str) -> bool:
    return bool(AddressIndex([one], str).same(other))
