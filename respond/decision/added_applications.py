"""Applications, their keys, and directory roles that the logs name, matched with what is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from respond.decision.by_hand import on_application, on_role
from respond.decision.ground import Ground, call
from respond.decision.items import Held, Item, additions, grouped, ids_of, said, shortened
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import Application
from respond.models.ladder import Rung, Step


def applications(ground: Ground, held: Held) -> Iterable[Item]:
    """One that was made is disabled; one that was there before loses what was added to it."""
    for group in grouped(ground.changes(FootholdKind.APPLICATION), ids_of):
        if not additions(group):
            continue
        ids = {one for change in group for one in change.objects}
        app = next((one for one in held.added.applications if ids & set(one.ids)), None)
        if app is None and ids and ids <= set(held.added.gone):
            yield Item(group, gone="Microsoft Graph knows no such application")
        elif app is None:
            yield Item(group, task=f"{said(group)}: the application is not found: look for it in Entra")
        elif app.principal and any(change.creates for change in group):
            why = f"{said(group)}, after the approval"
            step = Step(rung=Rung.DISABLE_APPLICATION, object=app.principal, label=app.name or app.principal, why=why)
            yield Item(group, call(ground, step), ((step.rung, step.object),))
        else:
            yield _keys(ground, group, app)


def _keys(ground: Ground, group: Sequence[Foothold], app: Application) -> Item:
    """What was added to an application that was there before: disabling it could stop what the tenant lives on."""
    new = {one for change in group for one in change.secrets}
    found = [one for one in app.keys if one.id.lower() in new or (one.start and one.start >= ground.since)]
    secrets = [one for one in found if one.is_secret]
    keyed = all(change.secrets or _is_about_keys(change.what.lower()) for change in additions(group))
    why = f"{said(group)}, after the approval"
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
    task = f"{said(group)}: {on_application(group, app)}"
    return Item(tuple(group), called, matched, task=task, lists=False)


def _is_about_keys(what: str) -> bool:
    """Whether an operation adds what is removed as a secret; a federated credential is none."""
    return "federated" not in what and ("credential" in what or "secret" in what)


def roles(ground: Ground, held: Held) -> Iterable[Item]:
    """Assignments that are active are removed; the others are a person's."""
    for group in grouped(ground.changes(FootholdKind.ROLE), lambda change: {" ".join(sorted(change.objects))} - {""}):
        if not additions(group):
            continue
        ids = {one for change in group for one in change.objects}
        found = [one for one in held.added.assignments if one.principal.lower() in ids and one.role.lower() in ids]
        why = f"{said(group)}, after the approval"
        names = list(dict.fromkeys(name for change in group for name in change.names))
        label = shortened(" for ".join(names)) or "directory role"
        steps = [Step(rung=Rung.REMOVE_ROLE, object=one.id, kind=one.principal, label=label, why=why) for one in found]
        called = tuple(called for step in steps for called in call(ground, step))
        matched = tuple((step.rung, step.object) for step in steps)
        # An eligible assignment outlives the active one of the same role.
        done = steps and not any("eligible" in change.what.lower() for change in additions(group))
        yield Item(group, called, matched, task="" if done else f"{said(group)}: {on_role(group)}")
