"""Authentication methods that the logs name, matched with those that are listed: by id, name, type and time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from respond.decision.ground import Called, Ground, attributed, call
from respond.decision.items import Held, Item, grouped, others, said, shortened, unread
from respond.decision.method_types import named_types
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import Method
from respond.models.ladder import May, Rung, Step


def methods(ground: Ground, held: Held) -> Iterable[Item]:
    """With a time after the approval, or named by a row; else those of the type, which are asked about."""
    near, rung = ground.policy.correlation.registration_within, Rung.REMOVE_METHOD
    access, blind = held.access, unread(ground, held, rung)
    changes = tuple(ground.changes(FootholdKind.METHOD))
    every = grouped((one for one in changes if not ground.is_elsewhere(one)), lambda _: set())
    events = [group[0] for group in every if not group[0].removal]
    yield from others(ground, changes)
    dated = [one for one in access.methods if one.created and one.created >= ground.since]
    named = {one.id: [event for event in events if _names(event, one)] for one in access.methods}
    for method in dated:
        about = [one for one in events if method.created and abs(one.at - method.created) <= near]
        why = f"added at {method.created:%Y-%m-%d %H:%M:%SZ}, after the approval"
        step = Step(rung=rung, object=method.id, label=method.label, kind=method.type, why=why)
        cap = attributed(ground, [*about, *named[method.id]], "the method")
        yield Item((), call(ground, step, cap), ((rung, method.id),))
    used: set[tuple[str, str]] = set()
    for event in events:
        ours = [one for one in access.methods if event in named[one.id] and (one.created is None or one in dated)]
        if not ours:
            ours = _registered_then(event, dated, used, ground)
        if not ours:
            ours = [
                one
                for one in access.methods
                if any(_fits(event, one) and abs(other.at - event.at) <= near for other in named[one.id])
                and one.created is None
            ]
        sure = bool(ours)
        if not ours:
            ours = [one for one in access.methods if one.created is None and _fits(event, one)]
        older = [one for one in access.methods if not ours and _fits(event, one)]
        yield _method_item(ground, event, ours, sure=sure) if ours else _unlisted(event, older, blind)


def _method_item(ground: Ground, event: Foothold, ours: Sequence[Method], *, sure: bool) -> Item:
    rung = Rung.REMOVE_METHOD
    called: list[Called] = []
    for method in (one for one in ours if one.created is None):
        why = f"{event.what} at {event.at:%Y-%m-%d %H:%M:%SZ}, after the approval"
        cap = attributed(ground, (event,), "the method")
        if not sure:
            why += (
                f"{f' ({event.reason})' if event.reason else ''}; Microsoft Graph does not say when this one was added"
            )
            cap = May.ASK, "Microsoft Graph does not say when it was added: a person decides whether it is the user's"
        called += call(ground, Step(rung=rung, object=method.id, label=method.label, kind=method.type, why=why), cap)
    return Item((event,), tuple(called), tuple((rung, one.id) for one in ours))


def _unlisted(event: Foothold, older: Sequence[Method], blind: str) -> Item:
    """A method that no list shows; a number that was changed in place keeps the time at which the first was added."""
    words = f"{said((event,))}{f', {event.reason}' if event.reason else ''}"
    if blind or not older:
        missing = "no such method is listed: look at the user's authentication methods"
        return Item((event,), task=f"{words}: {blind or missing}")
    listed = ", ".join(shortened(one.label) for one in older)
    task = (
        f"{words}: no new one is listed; one that was there before may have been changed: ask the user about {listed}"
    )
    return Item((event,), task=task)


def _names(event: Foothold, method: Method) -> bool:
    """Whether a row names the very method, by its id or by what it is called."""
    return method.id.lower() in event.objects or any(
        len(alias) > 1 and method.label.lower().endswith(f" {alias.lower()}") for alias in event.names
    )


def _fits(event: Foothold, method: Method) -> bool:
    types = named_types(f"{event.what} {event.reason}")
    return not types or method.type.removesuffix("AuthenticationMethod") in types


def _registered_then(
    event: Foothold, dated: Sequence[Method], used: set[tuple[str, str]], ground: Ground
) -> list[Method]:
    """The method that was registered when the row says; two rows of one operation are two methods."""
    near = ground.policy.correlation.registration_within
    fits = [one for one in dated if one.created and _fits(event, one) and abs(one.created - event.at) <= near]
    if not named_types(f"{event.what} {event.reason}"):
        return fits
    free = [one for one in fits if (event.what, one.id) not in used]
    free.sort(key=lambda one: abs(one.created - event.at) if one.created else near)
    used |= {(event.what, one.id) for one in free[:1]}
    return free[:1]
