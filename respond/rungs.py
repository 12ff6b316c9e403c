"""What makes an action a rung of the ladder: look, ask whether it may, write once, read back.

A rung says how to look at its object and which request changes it; everything else is the same for all of them and
stands here, so that no rung can forget a brake, the record of what was there before, or the proof. The request that a
plan shows is the one that is sent.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from respond import durable
from respond.clients.graph_holdings import shown
from respond.decision.ground import ASKS_FOR_ALL
from respond.errors import (
    Conflict,
    Forbidden,
    Frozen,
    NotFound,
    NotTheService,
    Permanent,
    RespondError,
    Unauthenticated,
    WriteRefused,
)
from respond.models.approvals import Answer
from respond.models.audit import AuditKind, canonical
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intents import Intent
from respond.models.ladder import NOBODY, Begun, May, Rung, Step, Word
from respond.models.report import ActionStatus, Change, Request
from respond.present import present
from respond.response_mode import ResponseMode
from respond.step import clients, naming, process, response_mode, write_action

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

_NO_REFUSAL = (Conflict, Frozen, NotFound, NotTheService, Unauthenticated, WriteRefused)
"""What is not the service's answer to this very write."""
OBSERVED = 'response.mode is "observe", not sent'
"""Why an action is planned and not carried out."""
_READ_BACK_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each look: a write takes a moment to show in a read."""


@dataclass(frozen=True)
class Seen:
    """How the object of a rung is at the moment.

    Attributes:
        done: it is as the rung would make it.
        says: the same in words.
        before: what an undo would have to restore; also what a plan expects to find again.
        refuse: why the rung cannot be climbed here, whoever says yes; empty when it can.
    """

    done: bool
    says: str
    before: dict[str, JsonValue] = field(default_factory=dict)
    refuse: str = ""

    @property
    def fingerprint(self) -> str:
        return canonical({"done": self.done, "before": self.before})


Look = Callable[[Case, Account, Step, Seen | None], Coroutine[Any, Any, Seen]]
"""Reads the object; with what was seen before the write when it is read back."""
Write = Callable[..., "RequestInformation"]
"""`(case, *, account, step)`: the request that changes the object."""
Back = Callable[[Case, Account, Step, dict[str, JsonValue]], Coroutine[Any, Any, "RequestInformation | None"]]
"""The request that brings back what was before; None when it is so already."""


@dataclass(frozen=True)
class Terms:
    """What people have to know about a rung before they let it act.

    Attributes:
        costs: what the user notices.
        leaves: what an attacker may still hold.
        undo: how it is taken back, or why it cannot be.
        done: what the ticket says when it is done, after the label; `{says}` is what was read back.
        forbidden: what a 403 means beyond a missing permission.
        refused: what to do where the service refuses the write to everybody.
        contains: whether it ends something that the attacker holds.
    """

    costs: str
    leaves: str
    undo: str
    done: str
    forbidden: str = ""
    refused: str = ""
    contains: bool = True


@dataclass(frozen=True)
class Kit:
    """The parts of a rung.

    Attributes:
        look: reads the object.
        back: finds out what would bring back what was before. None where nothing can.
        provable: whether what was written can be read back.
        needs: the permissions for one step, where they depend on what it is about.
    """

    look: Look
    terms: Terms
    back: Back | None = None
    provable: bool = True
    needs: Callable[[Step], tuple[str, ...]] | None = None


def rung(kit: Kit, *permissions: str) -> Callable[[Write], Callable[..., Coroutine[Any, Any, Change]]]:
    """Make a write a rung: an action `(case, *, account, step, word)` that returns a `Change`."""

    def wrap(write: Write) -> Callable[..., Coroutine[Any, Any, Change]]:
        @functools.wraps(write)
        async def climb(case: Case, *, account: Account, step: Step, word: Word) -> Change:
            return await _Climb(write, kit, permissions, case, account, step, word).run()

        action = write_action(*permissions)(climb)

        @functools.wraps(action)
        async def whole(case: Case, *, account: Account, step: Step, word: Word) -> Change:
            change = await action(case, account=account, step=step, word=word)
            if change.step is not None:
                return change
            # An error ended it before it could say what it was about.
            told = {"target": step.label, "contains": kit.terms.contains, "why": step.why, "step": step, "by": word.by}
            if change.again:
                again = "" if case.is_dry_run else "; respond serve or respond watch tries it again"
                told |= {"summary": change.summary + again, "again": None if case.is_dry_run else change.again}
            return change.model_copy(update=told)

        vars(whole).update(kit=kit)
        return whole

    return wrap


@dataclass(frozen=True)
class Stopped:
    """Why a write is not sent.

    Attributes:
        by: `limit` or `freeze`, where the policy would have had it sent.
    """

    words: str
    status: ActionStatus = ActionStatus.AWAITING_APPROVAL
    by: str = ""


@dataclass(frozen=True)
class _Climb:
    write: Write
    kit: Kit
    permissions: tuple[str, ...]
    case: Case
    account: Account
    step: Step
    word: Word

    @property
    def name(self) -> str:
        return self.step.rung.value

    async def run(self) -> Change:
        seen = await self.kit.look(self.case, self.account, self.step, None)
        if seen.refuse:
            return self.change(ActionStatus.REFUSED, seen.refuse)
        if seen.done:
            return self.found_done(seen)
        request = self.write(self.case, account=self.account, step=self.step)
        if stopped := self.stopped(seen):
            return self.change(stopped.status, stopped.words, seen=seen, request=shown(request), held=stopped.by)
        return await self.act(seen, request)

    def stopped(self, seen: Seen) -> Stopped | None:
        """Why nothing is sent; None when it is."""
        mode, stopped = response_mode(self.case), self.not_allowed()
        if mode is ResponseMode.OBSERVE and (stopped is None or stopped.status is ActionStatus.AWAITING_APPROVAL):
            how = f"would ask a person: {stopped.words}" if stopped else f"{self.terms.costs} (now: {seen.says})"
            return Stopped(f"{OBSERVED}; {how}", ActionStatus.PLANNED)
        if stopped:
            return stopped
        if mode is ResponseMode.ASK and self.word.by in ("", NOBODY):
            return Stopped(ASKS_FOR_ALL)
        if self.case.is_dry_run:
            return Stopped(f"{self.terms.costs} (now: {seen.says})", ActionStatus.PLANNED)
        return self.held()

    def not_allowed(self) -> Stopped | None:
        """What people and the response plan have against it."""
        if not self.word.by and (words := self.taken_back()):
            return Stopped(words)
        if not self.word.by and self.word.may is not May.NEVER and (denied := self.denied()):
            return Stopped(denied, ActionStatus.REFUSED)
        if self.word.may is May.ASK:
            return Stopped(self.word.why)
        if self.word.may is May.NEVER:
            return Stopped(self.word.why, ActionStatus.REFUSED)
        return None

    async def act(self, seen: Seen, request: RequestInformation) -> Change:
        """Keep what was there, write, and read back."""
        store, case = process().store, self.case
        record = Intent(
            tenant=case.tenant,
            case=case.id,
            user_id=self.account.id,
            name=self.name,
            object=self.step.object,
            step=Begun(run=durable.this_run(), step=self.step).model_dump_json(),
            before=canonical(seen.before),
            at=datetime.now(UTC),
        )
        store.intents.begin(record)
        told = shown(request)
        self.audit(AuditKind.REQUEST, f"{told.method} {told.url}", seen)
        try:
            await clients(case).graph.holdings.send(request, about=f"{self.name} {self.step.label}")
        except Forbidden as error:
            words = naming(error, self.needed).message
            words += f"; {self.terms.forbidden}" if self.terms.forbidden else ""
            return self.audited(self.change(ActionStatus.FAILED, words, seen=seen, request=told))
        except Permanent as error:
            if isinstance(error, _NO_REFUSAL):
                raise
            words = f"{error.message}; {self.terms.refused}" if self.terms.refused else error.message
            return self.audited(self.change(ActionStatus.FAILED, words, seen=seen, request=told, held="service"))
        if not self.kit.provable:
            return self.audited(self.change(ActionStatus.DONE, self.done_words(seen)))
        return self.audited(await self.read_back(seen))

    async def read_back(self, before: Seen) -> Change:
        """Nothing is done because a call was answered: the object has to be seen as it should be."""
        now = None
        for pause in _READ_BACK_PAUSES:
            await asyncio.sleep(pause)
            try:
                now = await self.kit.look(self.case, self.account, self.step, before)
            except RespondError as error:
                words = f"Graph accepted the request, but {self.step.label} could not be read back: {error.message}"
                return self.change(ActionStatus.DONE, words, verified=False)
            if now.done:
                return self.change(ActionStatus.DONE, f"{self.done_words(now)} and read back", verified=True)
        how = now.says if now else ""
        words = f"Graph accepted the request, but {self.step.label} still reads: {how}: look again in some minutes"
        return self.change(ActionStatus.DONE, words, verified=False)

    def found_done(self, seen: Seen) -> Change:
        """As it should be: by an earlier try of this very run whose answer was lost, or because nothing was needed."""
        proof = True if self.kit.provable else None
        if was_begun(self.case, self.step.rung, self.step.object):
            how = "found so" if proof else "sent once; whether it arrived cannot be read"
            return self.audited(self.change(ActionStatus.DONE, f"{self.done_words(seen)}, {how}", verified=proof))
        return self.change(ActionStatus.UNNEEDED, seen.says, verified=proof)

    def denied(self) -> str:
        """What was answered when this was asked before: it is not asked again about the same.

        A denial of what was only suspicious does not hold when it turns out to be malicious.
        """
        asked = process().store.approvals.of_case(self.case.id)
        mine = [one for one in asked if (one.name, one.object) == (self.name, self.step.object)]
        if not mine or (last := mine[-1]).answer not in (Answer.DENIED, Answer.EXPIRED):
            return ""
        if self.step.certain and not Step.model_validate_json(last.step).certain:
            return ""
        at = f"{last.answered_at:%Y-%m-%d %H:%M:%SZ}" if last.answered_at else "some time"
        if last.answer is Answer.EXPIRED:
            return f"nobody answered in time, which is a denial ({at}); respond approve {self.case.id} still can"
        return f"denied by {last.by} at {at}"

    def taken_back(self) -> str:
        """Whether a person has undone this very write of the case; it is not done again over their head."""
        earlier = [one for one in process().store.intents.of_case(self.case.id) if one.name == self.name]
        # What was given again may have another id, and is the same.
        mine = [one for one in earlier if one.object == self.step.object or self.label_of(one) == self.step.label]
        if not mine or (undone := mine[-1].undone_at) is None:
            return ""
        return f"was taken back at {undone:%Y-%m-%d %H:%M:%SZ}: a person decides whether it is done again"

    @staticmethod
    def label_of(intent: Intent) -> str:
        return Begun.model_validate_json(intent.step).step.label

    def held(self) -> Stopped | None:
        """What keeps this write from being sent although it may be: a freeze, or a limit."""
        store, case, limits = process().store, self.case, self.case.policy.ladder.limits
        if freeze := store.brakes.frozen(case.tenant):
            return Stopped(f"{freeze.said}: respond thaw, then respond approve {case.id}", by="freeze")
        slot = store.brakes.take_slot(
            tenant=case.tenant,
            user_id=self.account.id,
            case=case.id,
            batch=case.batch or case.run,
            now=present(),
            limits=limits,
            tenant_users=case.tenant_users or 0,  # unknown is small
            override=self.word.by not in ("", NOBODY),
        )
        if slot.granted:
            return None
        self.audit(AuditKind.LIMIT, slot.reason)
        return Stopped(f"{slot.reason}: a person decides", by="limit")

    def done_words(self, seen: Seen) -> str:
        return self.terms.done.format(says=seen.says)

    @property
    def needed(self) -> tuple[str, ...]:
        return self.kit.needs(self.step) if self.kit.needs else self.permissions

    @property
    def terms(self) -> Terms:
        return self.kit.terms

    def audit(self, kind: AuditKind, what: str, seen: Seen | None = None) -> None:
        process().store.audit.append(
            tenant=self.case.tenant,
            case=self.case.id,
            run=durable.this_run(),
            actor=self.word.by or "respond",
            kind=kind,
            what=f"{self.name} {self.step.label}: {what}",
            detail={"object": self.step.object, "why": self.step.why, "before": seen.before if seen else None},
            at=datetime.now(UTC),
        )

    def audited(self, change: Change) -> Change:
        self.audit(AuditKind.CHANGE, f"{change.status.value}: {change.summary}")
        return change

    def change(
        self,
        status: ActionStatus,
        summary: str,
        *,
        seen: Seen | None = None,
        request: Request | None = None,
        verified: bool | None = None,
        held: str = "",
    ) -> Change:
        step = self.step.model_copy(update={"expects": seen.fingerprint}) if seen else self.step
        return Change(
            name=self.name,
            status=status,
            target=self.step.label,
            summary=summary,
            request=request,
            verified=verified,
            contains=self.terms.contains,
            why=self.step.why,
            precondition=seen.says if seen else "",
            undo=self.terms.undo,
            leaves=self.terms.leaves,
            permissions=self.needed,
            step=step,
            by=self.word.by,
            held=held,
        )


def was_begun(case: Case, rung: Rung, about: str) -> bool:
    """Whether this very run has begun this write before: in an earlier try, or for an earlier reason.

    Args:
        about: id of the object.
    """
    mine = process().store.intents.find(case.id, rung.value, about)
    begun = Begun.model_validate_json(mine.step).run if mine and mine.undone_at is None else ""
    return bool(begun) and begun == durable.this_run()


def kit_of(action: Callable[..., Any]) -> Kit:
    """The parts of a rung that `rung` has made."""
    kit: Kit = vars(action)["kit"]
    return kit


def permissions_of(action: Callable[..., Any]) -> tuple[str, ...]:
    """The least permissions of an action."""
    found: tuple[str, ...] = vars(action)["permissions"]
    return found
