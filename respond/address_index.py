"""What is known about an address, found without a walk through all of it: an attacker decides how much that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from respond.addresses import parse, range_of

T = TypeVar("T")


class AddressIndex(Generic[T]):
    """Things by the address that each names, found without going through all of them; what names none is left out.

    Args:
        things: what is looked up; its order is kept.
        address: the address of each.
    """

    def __init__(self, things: Iterable[T], address: Callable[[T], str]) -> None:
        self._found: dict[tuple[int, int], list[T]] = defaultdict(list)
        self._tables: dict[tuple[int, int, int], dict[int, list[T]]] = {}
        self._address = address
        for thing in things:
            if found := parse(address(thing)):
                self._found[found.version, found.visible].append(thing)

    def same(self, address: str) -> tuple[T, ...]:
        """Those at this very address; none where a part of it is hidden."""
        found = parse(address)
        if found is None or not found.is_whole:
            return ()
        return tuple(self._table(found.version, found.visible, found.visible).get(found.value, ()))

    def maybe(self, address: str) -> tuple[T, ...]:
        """Those whose address may be this one, as far as both are visible; none for what is no address."""
        found = parse(address)
        if found is None:
            return ()
        # Entra hides the same few lengths everywhere, so there are few tables however many addresses there are.
        lengths = [visible for version, visible in self._found if version == found.version]
        shared = ((visible, min(visible, found.visible)) for visible in lengths)
        return tuple(
            thing
            for visible, bits in shared
            for thing in self._table(found.version, visible, bits).get(found.first(bits), ())
        )

    def _table(self, version: int, visible: int, bits: int) -> dict[int, list[T]]:
        """Things of which so many bits are visible, by the first bits of their addresses as a number."""
        key = (version, visible, bits)
        if key not in self._tables:
            table: dict[int, list[T]] = defaultdict(list)
            for thing in self._found.get((version, visible), ()):
                if one := parse(self._address(thing)):
                    table[one.first(bits)].append(thing)
            self._tables[key] = dict(table)
        return self._tables[key]


class Networks(Generic[T]):
    """Addresses and ranges such as `198.51.100.0/24`, and which of them hold an address.

    Args:
        things: what is looked up; its order is kept.
        named: the address or range of each; what is neither holds nothing.
    """

    def __init__(self, things: Iterable[T], named: Callable[[T], str]) -> None:
        self._found: dict[tuple[int, int, int], list[tuple[int, T]]] = defaultdict(list)
        self._widths: dict[int, set[int]] = {4: set(), 6: set()}
        for number, thing in enumerate(things):
            if key := range_of(named(thing)):
                self._found[key].append((number, thing))
                self._widths[key[0]].add(key[1])

    def of(self, address: str) -> tuple[T, ...]:
        """Those that hold the address; a hidden one is held by none."""
        found = parse(address)
        if found is None or not found.is_whole:
            return ()
        holding = [one for bits in self._widths[found.version] for one in self._found.get(found.prefix(bits), ())]
        return tuple(thing for _, thing in sorted(holding, key=lambda one: one[0]))
