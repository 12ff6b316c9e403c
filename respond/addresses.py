"""Addresses and hosts as logs and feeds write them, read once at the boundary of every table. Pure.

Tables write one address in several ways: with a port (`203.0.113.24:50321`, `[2001:db8::1]:443`), as IPv6 that stands
for IPv4 (`::ffff:203.0.113.24`), with a zone (`fe80::1%eth0`), as the first of a list, in long or short IPv6. Entra
hides the end of some: `203.0.113.XXX`. What is visible of these is kept and compared; two addresses whose visible parts
agree are neither the same nor different.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

_WIDTH = {4: 32, 6: 128}
_NEAR = {4: 24, 6: 64}
"""Bits that neighbours share."""
_MAPPED = 96
"""Bits before the IPv4 address in one that is written as `::ffff:203.0.113.24`."""
_REMEMBERED = 1 << 17
_LONGEST = 200
"""Characters of an address column that are looked at; the longest address with a zone and a port has fewer."""
_HIDDEN = re.compile(r"x+|\*+", re.IGNORECASE)
_WITH_PORT = re.compile(r"((?:.*:)?\d+(?:\.(?:\d+|x+|\*)){3}):\d{1,5}", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]]*)\](?::\d{1,5})?")
_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Address:
    """One address as far as it is visible.

    Attributes:
        version: 4 or 6.
        value: the address as a number; hidden bits are 0.
        visible: leading bits that are known; all of them unless the log hides the end.
    """

    version: int
    value: int
    visible: int

    @property
    def is_whole(self) -> bool:
        return self.visible == _WIDTH[self.version]

    def first(self, bits: int) -> int:
        """The first bits as a number; of all bits it is the value."""
        return self.value >> (_WIDTH[self.version] - bits)

    def prefix(self, bits: int) -> tuple[int, int, int]:
        """The first bits, as a key that an address of the other version never has."""
        return self.version, bits, self.first(bits)

    def __str__(self) -> str:
        if self.version == 4:  # noqa: PLR2004 - the version of the protocol
            octets = self.value.to_bytes(4, "big")
            return ".".join(str(octet) if 8 * n < self.visible else "xxx" for n, octet in enumerate(octets))
        if self.is_whole:
            return ipaddress.IPv6Address(self.value).compressed
        groups = ipaddress.IPv6Address(self.value).exploded.split(":")
        return ":".join(group.lstrip("0") or "0" if 16 * n < self.visible else "xxxx" for n, group in enumerate(groups))


@lru_cache(maxsize=_REMEMBERED)
def parse(text: str) -> Address | None:
    """The address that a column names, or None: it is empty, wholly hidden, or no address."""
    if (plain := _plain(text)) is not None:
        return plain
    for piece in re.split(r"[,;|\s]+", text[:_LONGEST]):
        found = _read(_bare(piece))
        if found is not None:
            return found if found.visible else None
    return None


def _plain(text: str) -> Address | None:
    """An IPv4 address with nothing around it, as most are."""
    try:
        return Address(4, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big"), 32)
    except (OSError, ValueError):
        return None


def _bare(text: str) -> str:
    """Without what stands around an address: space, quotes, brackets, port and zone."""
    bare = text.strip().strip("\"'").strip()
    if (inside := _BRACKETS.fullmatch(bare)) or (inside := _WITH_PORT.fullmatch(bare)):
        bare = inside[1]
    groups = bare.partition("%")[0].split(":")
    # An IPv6 address that is written out, with a port behind it and no brackets.
    return ":".join(groups[:_GROUPS] if len(groups) == _GROUPS + 1 and "" not in groups else groups).strip()


def _read(text: str) -> Address | None:
    try:
        whole = ipaddress.ip_address(text)
    except ValueError:
        return _hidden_v4(text) or _hidden_v6(text.lower())
    mapped = whole.ipv4_mapped if isinstance(whole, ipaddress.IPv6Address) else None
    kept = mapped or whole
    return Address(kept.version, int(kept), _WIDTH[kept.version])


def _hidden_v4(text: str) -> Address | None:
    octets = text.lower().removeprefix("::ffff:").split(".")
    shown = [octet for octet in octets if octet.isascii() and octet.isdecimal() and int(octet[:4]) < 256]  # noqa: PLR2004
    hidden = octets[len(shown) :]
    if len(octets) != 4 or octets[: len(shown)] != shown or not all(map(_HIDDEN.fullmatch, hidden)):  # noqa: PLR2004
        return None
    value = int.from_bytes(bytes([*map(int, shown), *(0 for _ in hidden)]), "big")
    return Address(4, value, 8 * len(shown))


def _hidden_v6(text: str) -> Address | None:
    """The groups before the first that is hidden, or before `::`; one that is hidden in part counts as hidden."""
    hidden = re.search(r"[x*]", text)
    if hidden is None or not re.fullmatch(r"[0-9a-fx*:]+", text):
        return None
    groups = text[: hidden.start()].split(":")[:-1]
    known = groups[: groups.index("")] if "" in groups else groups
    try:
        value = ipaddress.IPv6Address(":".join([*known, *["0"] * (_GROUPS - len(known))]))
    except ValueError:
        return None
    return Address(6, int(value), 16 * len(known)) if known else None


def clean(text: str) -> str:
    """One spelling for each address, as every model keeps it; "" for what is none, or wholly hidden."""
    found = parse(text)
    return str(found) if found else ""


def canonical(address: str) -> str:
    """The shortest spelling of an address as it is written; what is none stays as it is."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError:
        return address


def may_be_same(one: str, other: str) -> bool:
    """Whether what is visible of two addresses agrees; of whole ones, whether they are the same."""
    first, second = parse(one), parse(other)
    if first is None or second is None:
        return True
    return _agree(first, second)


def is_hidden(text: str) -> bool:
    """Whether a part of the address is not visible."""
    found = parse(text)
    return found is not None and not found.is_whole


def neighbourhood(text: str) -> tuple[int, int, int] | None:
    """The IPv4 /24 or IPv6 /64 of an address; None for one that is hidden."""
    found = parse(text)
    return found.prefix(_NEAR[found.version]) if found and found.is_whole else None


def neighbours(one: str, other: str) -> bool:
    """Whether two addresses as they are written share an IPv4 /24 or an IPv6 /64."""
    try:
        first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    except ValueError:
        return False
    size = _NEAR[first.version]
    return first.version == second.version and second in ipaddress.ip_network(f"{first}/{size}", strict=False)


def _agree(one: Address, other: Address) -> bool:
    bits = min(one.visible, other.visible)
    return one.version == other.version and one.prefix(bits) == other.prefix(bits)


def range_of(text: str) -> tuple[int, int, int] | None:
    """The key of a range or an address, as `Address.prefix` makes it."""
    base, slash, _ = text.strip().partition("/")
    found = parse(base)
    if found is None or not found.is_whole:
        return None
    if not slash:
        return found.prefix(found.visible)
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    width = network.prefixlen - (_MAPPED if network.version != found.version else 0)
    return found.prefix(width) if width >= 0 else None


def covers(indicator: str, ip: str) -> bool:
    """Whether an indicator, an address or a range such as `198.51.100.0/24`, names this address."""
    held, found = range_of(indicator), parse(ip)
    if held is None or found is None or not found.is_whole:
        return False
    return held[0] == found.version and found.prefix(held[1]) == held


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
