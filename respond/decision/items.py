"""One thing that was added to stay, and what is known about it. Pure.

Each logged change belongs to one item, which is about one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from respond.decision.ground import Called, Ground
from respond.models.evidence import Foothold
from respond.models.holdings import CONSENTS, METHODS, RULES, Access, Added, Device
from respond.models.ladder import May, Rung

_LONGEST_NAME = 80


Key = tuple[Rung, str]


@dataclass(frozen=True)
class Held:
    """What the directory and the mailbox hold now.

    Attributes:
        devices: every one that was seen in any look.
    """

    access: Access = field(default_factory=Access)
    added: Added = field(default_factory=Added)
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True)
class Item:
    """One object that was added, as far as the logs and the lists go.

    Attributes:
        changes: what the logs say about it; none for what only a list shows.
        called: the writes that end it.
        matched: by which writes it could be ended, whatever the response plan says.
        gone: why it is known to be gone; empty where it is not.
        task: what a person has to look at; empty where it was matched.
        lists: a later look at the lists may still find it.
    """

    changes: tuple[Foothold, ...]
    called: tuple[Called, ...] = ()
    matched: tuple[Key, ...] = ()
    gone: str = ""
    task: str = ""
    lists: bool = True


def grouped(changes: Iterable[Foothold], keys: Callable[[Foothold], set[str]]) -> list[tuple[Foothold, ...]]:
    """Changes that share a key, in the order of the first of each group; one without a key stands alone."""
    groups: list[tuple[set[str], list[Foothold]]] = []
    seen: set[tuple[str, str, str]] = set()
    for change in changes:
        row = change.table, change.id, change.what
        if change.id and row in seen:
            continue
        seen.add(row)
        mine = keys(change)
        joined = [one for one in groups if one[0] & mine]
        whole = (mine.union(*(ids for ids, _ in joined)), [*(row for _, rows in joined for row in rows), change])
        if joined:
            groups[groups.index(joined[0])] = whole
            groups = [one for one in groups if one not in joined[1:]]
        else:
            groups.append(whole)
    return [tuple(rows) for _, rows in groups]


def said(changes: Sequence[Foothold]) -> str:
    """The first of some changes in words: what, when, and the name of the object."""
    first = changes[0]
    name = next((one.name for one in changes if one.name), "")
    what = f"{first.what} at {first.at:%Y-%m-%d %H:%M:%SZ}"
    return f"{what} ({shortened(name)})" if name else what


def others(ground: Ground, changes: Iterable[Foothold]) -> Iterator[Item]:
    """What was done to somebody else's account or mailbox: a person's, for nothing of the user's is meant."""
    for group in grouped(changes, lambda _: set()):
        if ground.is_elsewhere(group[0]) and not group[0].removal:
            yield _elsewhere(group[0])


def _elsewhere(change: Foothold) -> Item:
    whom = next((one for one in change.whose if "@" in one), change.whose[0])
    reason = f", {shortened(change.reason)}" if change.reason else ""
    who = f"the log names {shortened(whom)}, which is no name of the user's that is known here"
    todo = f"{who}: undo it there by hand, and look at that account as well"
    return Item((change,), task=f"{said((change,))}{reason}: {todo}", lists=False)


def shortened(name: str) -> str:
    """A name on one line, cut to a readable length: an attacker may have chosen it."""
    return " ".join(name.split())[:_LONGEST_NAME]


def ids_of(change: Foothold) -> set[str]:
    """What changes of one object share."""
    return set(change.objects)


def additions(changes: Sequence[Foothold]) -> list[Foothold]:
    """Those that added something."""
    return [one for one in changes if not one.removal]


def removed_after(changes: Sequence[Foothold]) -> bool:
    """Whether the last of some changes took away what the others had added."""
    added = max((one.at for one in additions(changes)), default=None)
    return added is not None and any(one.removal and one.at >= added for one in changes)


_LISTS = {Rung.REMOVE_METHOD: METHODS, Rung.REMOVE_GRANT: CONSENTS, Rung.DISABLE_RULE: RULES}


def unread(ground: Ground, held: Held, rung: Rung) -> str:
    """Why nobody can say whether an object is there: its list was not read. Empty where it was."""
    ladder = ground.policy.ladder
    if {ladder.malicious.of(rung), ladder.suspicious.of(rung)} == {May.NEVER}:
        return f"the response plan never lets respond do {rung.value}, so it was not looked for: undo it by hand"
    gaps = {gap.source for gap in (*held.access.gaps, *held.added.gaps)}
    if rung in _LISTS and _LISTS[rung] in gaps:
        return f"the user's {_LISTS[rung]} could not be listed: look at them by hand"
    return ""


def was_listed(ground: Ground, held: Held, rung: Rung) -> bool:
    """Whether the list was read at all: what the response plan never removes is not, and a list may fail."""
    unread = {gap.source for gap in (*held.access.gaps, *held.added.gaps)}
    return ground.rungs.of(rung) is not May.NEVER and _LISTS[rung] not in unread
