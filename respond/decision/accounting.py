"""The account of the attacker's changes: each that the logs tie to them ends in exactly one fate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from respond.decision.ground import Ground
from respond.decision.items import Held, Item
from respond.decision.persistence import items
from respond.models.base import Source
from respond.models.evidence import Foothold
from respond.models.persistence import Accounted, ActionRef, Fate
from respond.models.report import Change


def account_of(
    ground: Ground, held: Held, changes: Sequence[Change], earlier: Sequence[Accounted] = ()
) -> tuple[Accounted, ...]:
    """What has become of everything that the logs tie to the attacker, oldest first.

    Args:
        changes: what became of each write.
        earlier: what earlier runs of the case have ended, or found gone.
    """
    tied = [_settled(item, earlier) for item in items(ground, held) if any(map(ground.is_tied, _added(item)))]
    return tuple(sorted((_accounted(item, changes) for item in tied), key=lambda one: (one.at, one.what)))


def unlisted(ground: Ground, held: Held, earlier: Sequence[Accounted] = ()) -> bool:
    """Whether a list lacks what the logs name, so that it is worth another look: lists come late."""
    known = (_settled(item, earlier) for item in items(ground, held))
    found = [item for item in known if item.lists and (item.task or item.gone)]
    return any(ground.is_tied(change) for item in found for change in _added(item))


def _settled(item: Item, earlier: Sequence[Accounted]) -> Item:
    """The item, gone where an earlier run has ended it: what was removed is not listed any longer."""
    if not (item.lists and (item.task or item.gone)):
        return item
    rows = {(change.table, change.id) for change in _added(item)}
    for one in earlier:
        if rows <= {(source.table, source.id) for source in one.evidence}:
            how = ", ".join(dict.fromkeys(ref.name for ref in one.actions))
            gone = f"an earlier run of the case has ended it: {how}" if how else one.says.removeprefix("gone already: ")
            return replace(item, gone=gone, task="", called=(), lists=False)
    return item


def _added(item: Item) -> list[Foothold]:
    return [change for change in item.changes if not change.removal]


def _accounted(item: Item, changes: Sequence[Change]) -> Accounted:
    keys = {(rung.value, object_id) for rung, object_id in item.matched}
    about = [one for one in changes if one.step and (one.name, one.step.object) in keys]
    fate, says = _fate(item, about)
    rows = _added(item) or list(item.changes)
    return Accounted(
        kind=rows[0].kind,
        what=", ".join(dict.fromkeys(one.what for one in rows)),
        name=next((" ".join(one.name.split()) for one in rows if one.name), ""),
        at=min(one.at for one in rows),
        ip=next((one.ip for one in rows if one.ip), ""),
        fate=fate,
        says=says,
        actions=tuple(ActionRef(name=one.name, object=one.step.object) for one in about if one.step),
        evidence=tuple(Source(table=one.table, id=one.id, at=one.at) for one in item.changes),
    )


def _fate(item: Item, about: Sequence[Change]) -> tuple[Fate, str]:
    if item.task:
        return Fate.TASK, item.task
    if about:
        return Fate.ACTION, how_far(about)
    if item.gone:
        return Fate.GONE, f"gone already: {item.gone}"
    return Fate.TASK, _ruled_out(item)


def how_far(about: Sequence[Change]) -> str:
    """What has become of the actions about one object."""
    return "; ".join(f"{one.name} {one.status.value}" for one in about)


def _ruled_out(item: Item) -> str:
    """It was matched, and nothing was called for: the response plan, or a limit on the account, never does that."""
    first = _added(item)[0]
    name = f" ({' '.join(first.name.split())[:80]})" if first.name else ""
    names = " or ".join(dict.fromkeys(rung.value for rung, _ in item.matched))
    what = f"{first.what} at {first.at:%Y-%m-%d %H:%M:%SZ}{name}"
    return f"{what}: the response plan does not let respond do {names or 'anything'} here: undo it by hand"
