"""Consents that the logs name, matched with the grants that are listed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from respond.decision.ground import Called, Ground, attributed, call
from respond.decision.items import Held, Item, additions, grouped, ids_of, said, shortened, unread, was_listed
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import Grant
from respond.models.ladder import May, Rung, Step


def grants(ground: Ground, held: Held) -> Iterable[Item]:
    """Matched by the application that was let in."""
    rung, grants = Rung.REMOVE_GRANT, {one.id: one for one in (*held.access.grants, *held.added.grants)}
    # What is only called by its client id in the log: the grant is kept under the service principal.
    wider = [set(app.ids) for app in held.added.applications]
    for group in grouped(ground.changes(FootholdKind.CONSENT), ids_of):
        ids = {one for change in group for one in change.objects}
        ids = ids.union(*(known for known in wider if known & ids))
        found = [one for one in grants.values() if one.client.lower() in ids]
        if found:
            called = tuple(called for grant in found for called in _grant(ground, grant, group))
            yield Item(group, called, tuple((rung, one.id) for one in found))
        elif not additions(group):
            continue
        elif (
            ids and was_listed(ground, held, rung) and (ids <= set(held.added.gone) or ids & set(held.added.ungranted))
        ):
            yield Item(group, gone="Microsoft Graph lists no consent for that application")
        else:
            missing = "no such consent is listed: look at the application's permissions"
            yield Item(group, task=f"{said(group)}: {unread(ground, held, rung) or missing}")


def _grant(ground: Ground, grant: Grant, about: Sequence[Foothold]) -> tuple[Called, ...]:
    why = f"{about[0].what} at {about[0].at:%Y-%m-%d %H:%M:%SZ}, after the approval: {grant.scope.strip()}"
    # The id decides; the name is what a person looks for, and the attacker's own choice.
    name = next((shortened(one.name) for one in about if one.name), "")
    label = f"{name} ({grant.client})" if name else grant.client
    step = Step(rung=Rung.REMOVE_GRANT, object=grant.id, label=label, why=why)
    cap = attributed(ground, additions(about), "the consent")
    if grant.everyone:
        cap = May.ASK, "it holds for every user of the tenant: a person decides"
    return call(ground, step, cap)
