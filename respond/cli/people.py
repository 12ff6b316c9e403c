"""`respond apply`, `approve`, `deny` and `undo`: what people decide about a case."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from respond.cli.opening import open_store_of
from respond.cli.user import print_report
from respond.defang import printable
from respond.errors import RunFailed, UsageError
from respond.settings import config_dir, load_settings
from respond.who_am_i import operator

if TYPE_CHECKING:
    from pathlib import Path

    from respond.models.approvals import Asked
    from respond.models.orders import Order
    from respond.models.report import Report
    from respond.store.cases import Store


def apply_plan(case: str, *, by: str | None, as_json: bool, config: str | None) -> int:
    """Carry out the plan of the newest dry run, exactly, or nothing of it."""
    from respond.models.ladder import May, Word
    from respond.models.orders import Order
    from respond.models.report import ActionStatus

    name, directory, who = case.upper(), config_dir(config), operator(by)
    with closing(open_store_of(case, config)) as store:
        plan, known = store.plan(name), _known(store, name, "apply")
        _refuse_observing(directory, "apply")
    if plan is None:
        raise UsageError(f"apply: {name} has no plan; `respond --user {known.user.upn} --dry-run` makes one")
    steps = tuple(one.step for one in plan.actions if one.step and one.status is ActionStatus.PLANNED)
    if not steps:
        waits = any(one.step and one.status is ActionStatus.AWAITING_APPROVAL for one in plan.actions)
        asks = f"; its containment actions need an approval, which respond --user {known.user.upn} asks for"
        raise UsageError(f"apply: the plan of {name} changes nothing in the tenant{asks if waits else ''}")
    word = Word(may=May.AUTO, why=f"planned in a dry run, applied by {who}", by=who)
    report = _ordered(directory, Order(report=plan, word=word, steps=steps, exactly=True))
    code = print_report(report, as_json=as_json)
    moved = next((one.summary for one in report.actions if one.status is ActionStatus.REFUSED and one.step), "")
    if moved:
        sys.stderr.write(f"respond: {name}: {printable(' '.join(moved.split()))}; make a new plan with --dry-run\n")
    return code


def answer_case(
    case: str, *, yes: bool, names: tuple[str, ...], because: str, by: str | None, as_json: bool, config: str | None
) -> int:
    """Say yes or no to what a case asks. The first answer wins."""
    from respond.models.approvals import Answer
    from respond.models.ladder import May, Step, Word
    from respond.models.orders import Order

    name, directory, who, now = case.upper(), config_dir(config), operator(by), datetime.now(UTC)
    verb = "approve" if yes else "deny"
    with closing(open_store_of(case, config)) as store:
        report = _known(store, name, verb)
        if yes:
            _refuse_observing(directory, verb)
        newest = _asked(store, name, names, verb)
        answer = Answer.APPROVED if yes else Answer.DENIED
        mine, before = store.approvals.answer(
            name, names=set(names) or None, answer=answer, by=who, at=now, because=because
        )
    chosen = [*mine, *(one for one in newest if yes and _is_open(report, one))]
    if not chosen:
        raise RunFailed(f"{name}: {_told((before or newest)[0])}; the first answer wins")
    said = f"approved by {who}" if yes else f"denied by {who}{': ' if because else ''}{because}"
    word = Word(may=May.AUTO if yes else May.NEVER, why=said, by=who)
    steps = tuple(Step.model_validate_json(one.step) for one in chosen)
    report = _ordered(directory, Order(report=report, word=word, steps=steps))
    code = print_report(report, as_json=as_json)
    return code if yes else 0


def undo_case(case: str, *, dry_run: bool, by: str | None, as_json: bool, config: str | None) -> int:
    """Bring back what a case has changed, as far as that can be."""
    from respond.models.ladder import May, Word
    from respond.models.orders import Order

    name, directory, who = case.upper(), config_dir(config), operator(by)
    with closing(open_store_of(case, config)) as store:
        report = _known(store, name, "undo")
        if not dry_run:
            _refuse_observing(directory, "undo")
        if not any(one.undone_at is None for one in store.intents.of_case(name)):
            raise UsageError(f"undo: {name} has changed nothing that was not taken back")
    order = Order(report=report, word=Word(may=May.AUTO, why=f"taken back by {who}", by=who))
    return print_report(_ordered(directory, order, undo=True, dry_run=dry_run), as_json=as_json)


def _refuse_observing(directory: Path, verb: str) -> None:
    """Refuse an order that would write to the tenant, where no write to it is ever sent."""
    from respond.response_mode import ResponseMode

    if load_settings(directory).response_mode is ResponseMode.OBSERVE:
        raise UsageError(
            f'{verb}: response.mode is "observe": nothing is changed in the tenant; set it to "ask" or "auto" first'
        )


def _ordered(directory: Path, order: Order, *, undo: bool = False, dry_run: bool = False) -> Report:
    async def carry_out() -> Report:
        from respond.session import open_session

        async with open_session(directory, dry_run=dry_run) as session:
            return await session.order(order, undo=undo, dry_run=dry_run)

    from respond.cli.interrupt import leaving_at_once

    with leaving_at_once():
        return asyncio.run(carry_out())


def _asked(store: Store, case: str, names: tuple[str, ...], verb: str) -> list[Asked]:
    """The newest question about each step, of those names or about those objects: two methods are one name."""
    from respond.models.approvals import Answer

    newest = {_about(one): one for one in store.approvals.of_case(case)}
    chosen = [
        one
        for one in newest.values()
        if (not names or {one.name, one.object} & {*names}) and one.answer != Answer.OVERTAKEN
    ]
    if chosen:
        return chosen
    if names:
        asked = ", ".join(sorted({one.name for one in newest.values()})) or "nothing"
        raise UsageError(f"{verb}: {case} does not ask about {', '.join(names)}; it asks about {asked}")
    raise UsageError(f"{verb}: nothing of {case} waits for an answer")


def _is_open(report: Report, asked: Asked) -> bool:
    """Whether an answered question can still be approved: nobody said no, and it has not been carried out."""
    from respond.models.approvals import Answer
    from respond.models.report import ActionStatus

    waits = any(
        one.status is ActionStatus.AWAITING_APPROVAL and one.step and (one.name, one.step.object) == _about(asked)
        for one in report.actions
    )
    return asked.answer is Answer.EXPIRED or (asked.answer is Answer.APPROVED and waits)


def _about(asked: Asked) -> tuple[str, str]:
    return asked.name, asked.object


def _told(asked: Asked) -> str:
    at = f" at {asked.answered_at:%Y-%m-%d %H:%M:%SZ}" if asked.answered_at else ""
    return f"{asked.name} {asked.target} was {asked.answer.value} by {asked.by or 'nobody'}{at}"


def _known(store: Store, case: str, verb: str) -> Report:
    report = store.live(case) or store.report(case)
    if report is None:
        raise UsageError(f"{verb}: there is no case {case[:40]}; `respond cases` lists them")
    return report
