"""Undo one write of a case: bring back what was there before, as it was kept before the write.

Safe to repeat: what is as it was is left alone. What cannot be undone is said, and nothing is tried.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from respond.clients.graph_holdings import shown
from respond.climbing import RUNGS
from respond.errors import Forbidden
from respond.models.audit import AuditKind
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intents import Intent
from respond.models.ladder import Begun, Step, Word
from respond.models.report import ActionStatus, Change, Request
from respond.present import present
from respond.rungs import kit_of, permissions_of
from respond.step import clients, naming, process, write_action

NAME = "take_back"


@write_action()
async def take_back(case: Case, *, account: Account, intent: Intent, word: Word) -> Change:
    """Restore what one write changed.

    Raises:
        NotFound: the object does not exist (any more).
        Transient: throttled or unreachable, after retries.
    """
    step = Begun.model_validate_json(intent.step).step
    action = RUNGS[step.rung]
    kit, before = kit_of(action), json.loads(intent.before)
    if kit.back is None:
        return _change(step, ActionStatus.REFUSED, f"{step.rung.value}: {kit.terms.undo}")
    request = await kit.back(case, account, step, before)
    if request is None:
        if not case.is_dry_run:
            _settle(case, intent)
        return _change(step, ActionStatus.UNNEEDED, f"{step.rung.value}: as it was before", verified=True)
    told = shown(request)
    if case.is_dry_run:
        return _change(step, ActionStatus.PLANNED, f"{step.rung.value}: {kit.terms.undo}", request=told)
    if freeze := process().store.brakes.frozen(case.tenant):
        return _change(step, ActionStatus.REFUSED, freeze.said)
    _audit(case, step, word, AuditKind.REQUEST, f"{told.method} {told.url}")
    try:
        await clients(case).graph.holdings.send(request, about=f"{NAME} {step.label}")
    except Forbidden as error:
        return _change(step, ActionStatus.FAILED, naming(error, permissions_of(action)).message, request=told)
    verified = await kit.back(case, account, step, before) is None
    if verified:
        _settle(case, intent)
    how = "restored and read back" if verified else "asked for, but it does not read so yet: look again in some minutes"
    _audit(case, step, word, AuditKind.UNDO, how)
    return _change(step, ActionStatus.DONE, f"{step.rung.value}: {how}", verified=verified)


def _settle(case: Case, intent: Intent) -> None:
    process().store.intents.undone(case.id, intent.name, intent.object, present())


def _audit(case: Case, step: Step, word: Word, kind: AuditKind, what: str) -> None:
    process().store.audit.append(
        tenant=case.tenant,
        case=case.id,
        run=case.run,
        actor=word.by or "respond",
        kind=kind,
        what=f"{NAME} {step.rung.value} {step.label}: {what}",
        detail={"object": step.object},
        at=datetime.now(UTC),
    )


def _change(
    step: Step, status: ActionStatus, summary: str, *, verified: bool | None = None, request: Request | None = None
) -> Change:
    return Change(
        name=NAME, status=status, target=step.label, summary=summary, verified=verified, request=request, step=step
    )
