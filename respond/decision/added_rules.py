"""Inbox rules that the logs name, matched with those that are listed; forwarding, which only Exchange ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from respond.decision.ground import Called, Ground, attributed, call
from respond.decision.items import (
    Held,
    Item,
    additions,
    grouped,
    others,
    removed_after,
    said,
    shortened,
    unread,
    was_listed,
)
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import Rule
from respond.models.ladder import May, Rung, Step

_MOST_RULES = 10
"""More rules than that are no question that a person could answer one by one."""


def rules(ground: Ground, held: Held) -> Iterable[Item]:
    """Matched by id, else by any name that the logs give them."""
    access = held.access
    every = [one for one in ground.changes(FootholdKind.MAIL_RULE) if not (one.is_forwarding or one.is_mail_access)]
    changes = [one for one in every if not ground.is_elsewhere(one)]
    yield from others(ground, every)
    groups = [group for group in grouped(changes, _rule_keys) if additions(group)]
    claims = {id(group): [rule for rule in access.rules if _is_rule(group, rule)] for group in groups}
    taken = {rule.id for found in claims.values() for rule in found}
    free = [rule for rule in access.rules if rule.enabled and rule.id not in taken and not _is_older(ground, rule)]
    for group in groups:
        found = claims[id(group)]
        sure = [rule for rule in found if rule.id in {one for change in group for one in change.objects}]
        found = sure or found
        if found:
            cap = attributed(ground, additions(group), "the rule")
            if len(found) > 1:
                cap = (
                    May.ASK,
                    f"{len(found)} rules go by that name, and nothing shows which was made then: a person decides",
                )
            called = tuple(called for rule in found for called in _rule(ground, rule, group, cap))
            yield Item(group, called, tuple((Rung.DISABLE_RULE, rule.id) for rule in found))
        elif removed_after(group) and not free and was_listed(ground, held, Rung.DISABLE_RULE):
            yield Item(group, gone="its removal is logged, and Microsoft Graph does not list it")
        else:
            blind = unread(ground, held, Rung.DISABLE_RULE)
            yield Item(group, task=f"{said(group)}: {blind}") if blind else _unlisted_rule(ground, group, free)


def _unlisted_rule(ground: Ground, group: Sequence[Foothold], free: Sequence[Rule]) -> Item:
    """A rule that no name leads to: renamed, hidden or removed. The rules that nobody accounts for are asked about."""
    listed = ", ".join(repr(shortened(rule.name)) for rule in free[:_MOST_RULES]) or "none"
    task = (
        f"{said(group)}: no rule of that name is listed; it may be renamed, hidden or removed: "
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
