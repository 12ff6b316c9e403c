"""What was added to stay: what the logs name, matched with what Microsoft Graph lists. Pure.

Each logged change belongs to one item, which is about one object. What is matched can be ended by a write; what cannot
be matched is a person's, and so is what no call of Microsoft Graph ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from respond.decision.ground import Called, Ground, attributed, call
from respond.decision.method_types import named_types
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import CONSENTS, RULES, Access, Added, Application, Device, Grant, Method, Rule
from respond.models.ladder import May, Rung, Step

_LONGEST_NAME = 80
_MOST_RULES = 10
"""More rules than that are no question that a person could answer one by one."""
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
        gone: why it is known to be there no more; empty where it is not.
        task: what a person has to look at; empty where it was matched.
        lists: a later look at the lists may still find it.
    """

    changes: tuple[Foothold, ...]
    called: tuple[Called, ...] = ()
    matched: tuple[Key, ...] = ()
    gone: str = ""
    task: str = ""
    lists: bool = True


def items(ground: Ground, held: Held) -> tuple[Item, ...]:
    """Everything that was added since the approval."""
    return (
        *_devices(ground, held),
        *_methods(ground, held.access),
        *_grants(ground, held),
        *_rules(ground, held),
        *_applications(ground, held),
        *_roles(ground, held),
        *_by_hand(ground),
    )


_BY_ID = (FootholdKind.DEVICE, FootholdKind.CONSENT, FootholdKind.APPLICATION, FootholdKind.ROLE)


def named(ground: Ground) -> tuple[Foothold, ...]:
    """Changes whose objects can be asked for by their ids."""
    return tuple(one for kind in _BY_ID for one in ground.changes(kind) if ground.is_tied(one))


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


def _said(changes: Sequence[Foothold]) -> str:
    first = changes[0]
    name = next((one.name for one in changes if one.name), "")
    what = f"{first.what} at {first.at:%Y-%m-%d %H:%M:%SZ}"
    return f"{what} ({shortened(name)})" if name else what


def shortened(name: str) -> str:
    """A name on one line, and no longer than a person reads: whoever made the object chose it."""
    return " ".join(name.split())[:_LONGEST_NAME]


def _ids(change: Foothold) -> set[str]:
    return set(change.objects)


def _additions(changes: Sequence[Foothold]) -> list[Foothold]:
    return [one for one in changes if not one.removal]


def _removed_after(changes: Sequence[Foothold]) -> bool:
    added = max((one.at for one in _additions(changes)), default=None)
    return added is not None and any(one.removal and one.at >= added for one in changes)


def _devices(ground: Ground, held: Held) -> Iterable[Item]:
    """Devices are disabled before the revocation, so nothing is called for here."""
    known = {one.id: one for one in (*held.devices, *held.added.devices)}.values()
    near = ground.policy.correlation.registration_within
    groups = [group for group in grouped(ground.changes(FootholdKind.DEVICE), _ids) if _additions(group)]
    claimed: set[str] = {one for group in groups for change in group for one in change.objects}
    for group in groups:
        ids = {one for change in group for one in change.objects}
        found = [one for one in known if {one.id.lower(), one.device_id.lower()} & ids]
        if not ids:
            since = (one for one in known if one.registered and one.registered >= ground.since)
            free = [one for one in since if not {one.id.lower(), one.device_id.lower()} & claimed]
            found = [one for one in free if one.registered and abs(one.registered - group[0].at) <= near]
        fresh = [one for one in found if one.registered is None or one.registered >= ground.since]
        if fresh:
            matched = tuple((rung, one.id) for one in fresh for rung in (Rung.DISABLE_DEVICE, Rung.DELETE_DEVICE))
            yield Item(group, matched=matched)
        elif found:
            names = ", ".join(shortened(one.name or one.device_id) for one in found)
            old = f"{_said(group)}: {names} was registered before the approval: look at the device and its owners"
            yield Item(group, task=old, lists=False)
        elif ids and ids <= set(held.added.gone):
            yield Item(group, gone="Microsoft Graph knows no such device")
        else:
            yield Item(group, task=f"{_said(group)}: the device is not listed: find it in Entra and disable it")


def _methods(ground: Ground, access: Access) -> Iterable[Item]:
    near, rung = ground.policy.correlation.registration_within, Rung.REMOVE_METHOD
    every = grouped(ground.changes(FootholdKind.METHOD), lambda _: set())
    events = [group[0] for group in every if not group[0].removal]
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
        yield _method_item(ground, event, ours, sure=sure)


def _method_item(ground: Ground, event: Foothold, ours: Sequence[Method], *, sure: bool) -> Item:
    rung = Rung.REMOVE_METHOD
    if not ours:
        words = f"{_said((event,))}{f', {event.reason}' if event.reason else ''}"
        return Item((event,), task=f"{words}: no such method is listed: look at the user's authentication methods")
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


_LISTS = {Rung.REMOVE_GRANT: CONSENTS, Rung.DISABLE_RULE: RULES}


def _was_listed(ground: Ground, held: Held, rung: Rung) -> bool:
    """Whether the list was read at all: what the response plan never removes is not, and a list may fail."""
    unread = {gap.source for gap in (*held.access.gaps, *held.added.gaps)}
    return ground.rungs.of(rung) is not May.NEVER and _LISTS[rung] not in unread


def _grants(ground: Ground, held: Held) -> Iterable[Item]:
    rung, grants = Rung.REMOVE_GRANT, {one.id: one for one in (*held.access.grants, *held.added.grants)}
    # What is only called by its client id in the log: the grant is kept under the service principal.
    wider = [set(app.ids) for app in held.added.applications]
    for group in grouped(ground.changes(FootholdKind.CONSENT), _ids):
        ids = {one for change in group for one in change.objects}
        ids = ids.union(*(known for known in wider if known & ids))
        found = [one for one in grants.values() if one.client.lower() in ids]
        if found:
            called = tuple(called for grant in found for called in _grant(ground, grant, group))
            yield Item(group, called, tuple((rung, one.id) for one in found))
        elif not _additions(group):
            continue
        elif (
            ids and _was_listed(ground, held, rung) and (ids <= set(held.added.gone) or ids & set(held.added.ungranted))
        ):
            yield Item(group, gone="Microsoft Graph lists no consent for that application")
        else:
            yield Item(group, task=f"{_said(group)}: no such consent is listed: look at the application's permissions")


def _grant(ground: Ground, grant: Grant, about: Sequence[Foothold]) -> tuple[Called, ...]:
    why = f"{about[0].what} at {about[0].at:%Y-%m-%d %H:%M:%SZ}, after the approval: {grant.scope.strip()}"
    # The id decides; the name is what a person looks for, and the attacker's own choice.
    name = next((shortened(one.name) for one in about if one.name), "")
    label = f"{name} ({grant.client})" if name else grant.client
    step = Step(rung=Rung.REMOVE_GRANT, object=grant.id, label=label, why=why)
    cap = attributed(ground, _additions(about), "the consent")
    if grant.everyone:
        cap = May.ASK, "it holds for every user of the tenant: a person decides"
    return call(ground, step, cap)


def _rules(ground: Ground, held: Held) -> Iterable[Item]:
    access = held.access
    changes = [one for one in ground.changes(FootholdKind.MAIL_RULE) if not one.is_forwarding]
    groups = [group for group in grouped(changes, _rule_keys) if _additions(group)]
    claims = {id(group): [rule for rule in access.rules if _is_rule(group, rule)] for group in groups}
    taken = {rule.id for found in claims.values() for rule in found}
    free = [rule for rule in access.rules if rule.enabled and rule.id not in taken and not _is_older(ground, rule)]
    for group in groups:
        found = claims[id(group)]
        sure = [rule for rule in found if rule.id in {one for change in group for one in change.objects}]
        found = sure or found
        if found:
            cap = attributed(ground, _additions(group), "the rule")
            if len(found) > 1:
                cap = (
                    May.ASK,
                    f"{len(found)} rules go by that name, and nothing shows which was made then: a person decides",
                )
            called = tuple(called for rule in found for called in _rule(ground, rule, group, cap))
            yield Item(group, called, tuple((Rung.DISABLE_RULE, rule.id) for rule in found))
        elif _removed_after(group) and not free and _was_listed(ground, held, Rung.DISABLE_RULE):
            yield Item(group, gone="its removal is logged, and Microsoft Graph does not list it")
        else:
            yield _unlisted_rule(ground, group, free)


def _unlisted_rule(ground: Ground, group: Sequence[Foothold], free: Sequence[Rule]) -> Item:
    """A rule that no name leads to: renamed, hidden or removed. The rules that nobody accounts for are asked about."""
    listed = ", ".join(repr(shortened(rule.name)) for rule in free[:_MOST_RULES]) or "none"
    task = (
        f"{_said(group)}: no rule of that name is listed; it may be renamed, hidden or removed: "
        f"Get-InboxRule -IncludeHidden. Rules that are on and not accounted for: {listed}"
    )
    cap = May.ASK, "it may be the rule that the log names, under another name: a person decides"
    asked = free if len(free) <= _MOST_RULES and any(map(ground.is_tied, group)) else ()
    return Item(tuple(group), tuple(called for rule in asked for called in _rule(ground, rule, group, cap)), task=task)


def _rule(ground: Ground, rule: Rule, about: Sequence[Foothold], cap: tuple[May, str]) -> tuple[Called, ...]:
    why = f"{about[0].what} at {about[0].at:%Y-%m-%d %H:%M:%SZ}, after the approval"
    return call(ground, Step(rung=Rung.DISABLE_RULE, object=rule.id, label=rule.name, why=why), cap)


def _rule_keys(change: Foothold) -> set[str]:
    return {f"name {_folded(one)}" for one in change.names} | {f"id {one}" for one in change.objects}


def _is_rule(group: Sequence[Foothold], rule: Rule) -> bool:
    names = {_folded(one) for change in group for one in change.names}
    return _folded(rule.name) in names or rule.id in {one for change in group for one in change.objects}


def _is_older(ground: Ground, rule: Rule) -> bool:
    """Whether the logs name a rule before the approval and not since."""
    rows = [one for one in ground.evidence.footholds.changes if one.kind is FootholdKind.MAIL_RULE]
    about = [one for one in rows if _folded(rule.name) in map(_folded, one.names)]
    return bool(about) and all(one.at < ground.since for one in about)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _applications(ground: Ground, held: Held) -> Iterable[Item]:
    for group in grouped(ground.changes(FootholdKind.APPLICATION), _ids):
        if not _additions(group):
            continue
        ids = {one for change in group for one in change.objects}
        app = next((one for one in held.added.applications if ids & set(one.ids)), None)
        if app is None and ids and ids <= set(held.added.gone):
            yield Item(group, gone="Microsoft Graph knows no such application")
        elif app is None:
            yield Item(group, task=f"{_said(group)}: the application is not found: look for it in Entra")
        elif app.principal and any(change.creates for change in group):
            why = f"{_said(group)}, after the approval"
            step = Step(rung=Rung.DISABLE_APPLICATION, object=app.principal, label=app.name or app.principal, why=why)
            yield Item(group, call(ground, step), ((step.rung, step.object),))
        else:
            yield _keys(ground, group, app)


def _keys(ground: Ground, group: Sequence[Foothold], app: Application) -> Item:
    """What was added to an application that was there before: disabling it could stop what the tenant lives on."""
    new = {one for change in group for one in change.secrets}
    found = [one for one in app.keys if one.id.lower() in new or (one.start and one.start >= ground.since)]
    secrets = [one for one in found if one.is_secret]
    keyed = all(
        change.secrets or "credential" in change.what.lower() or "secret" in change.what.lower()
        for change in _additions(group)
    )
    why = f"{_said(group)}, after the approval"
    steps = [
        Step(
            rung=Rung.REMOVE_SECRET, object=one.id, label=f"{app.name}: {one.label or one.id}", kind=one.holder, why=why
        )
        for one in secrets
    ]
    called = tuple(called for step in steps for called in call(ground, step))
    matched = tuple((step.rung, step.object) for step in steps)
    if steps and keyed and len(secrets) == len(found) and new <= {one.id.lower() for one in secrets}:
        return Item(tuple(group), called, matched)
    task = f"{_said(group)}: look at owners, keys, federated credentials and permissions of {app.name or app.ids[0]}"
    return Item(tuple(group), called, matched, task=task, lists=False)


def _roles(ground: Ground, held: Held) -> Iterable[Item]:
    for group in grouped(ground.changes(FootholdKind.ROLE), lambda change: {" ".join(sorted(change.objects))} - {""}):
        if not _additions(group):
            continue
        ids = {one for change in group for one in change.objects}
        found = [one for one in held.added.assignments if one.principal.lower() in ids and one.role.lower() in ids]
        why = f"{_said(group)}, after the approval"
        names = list(dict.fromkeys(name for change in group for name in change.names))
        label = shortened(" for ".join(names)) or "directory role"
        steps = [Step(rung=Rung.REMOVE_ROLE, object=one.id, kind=one.principal, label=label, why=why) for one in found]
        called = tuple(called for step in steps for called in call(ground, step))
        if steps:
            yield Item(group, called, tuple((step.rung, step.object) for step in steps))
        else:
            where = "it may be an eligible one: look at Privileged Identity Management"
            yield Item(group, task=f"{_said(group)}: no active assignment is listed; {where}")


_HANDS = {
    FootholdKind.POLICY: "a policy of the tenant was changed: compare it with what it was, and set it back by hand",
    FootholdKind.DOMAIN: "a domain of the tenant was changed: check its authentication and federation",
    FootholdKind.GUEST: "a guest was invited: find out whether anybody expects the guest, and block the account if not",
}


def _by_hand(ground: Ground) -> Iterable[Item]:
    """What no containment action is there for."""
    for kind, todo in _HANDS.items():
        for group in grouped(ground.changes(kind), _ids):
            if _additions(group):
                yield Item(group, task=f"{_said(group)}: {todo}", lists=False)
    for change in ground.changes(FootholdKind.MAIL_RULE):
        if change.is_forwarding:
            yield Item(
                (change,),
                task=f"{_said((change,))}: forwarding of the whole mailbox or the tenant, which only Exchange can end: "
                "Get-Mailbox, Get-TransportRule",
                lists=False,
            )
