"""One delivery of Sentinel or of the schedule: find the users it is about, and answer for each of them.

1. find    Whom does it name? Nobody yet: hunt the time of its alerts, and read the incident again later.
2. take    Whose turn is it? One run looks at a user at a time; whoever has the turn answers for all who ask.
3. answer  Every user side by side; what fails for one hides no other.
4. tell    The incident: who is being answered for, and what each answer is.
5. hand    Whom nobody could answer for to a person, in a ticket.

Where a service does not answer, nobody is handed over: the delivery, or what is left of it, is put off until it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from actions.end_round import end_round
from actions.find_accounts import find_accounts
from actions.join_run import join_run
from actions.keep_write_backs import keep_write_backs
from actions.next_round import next_round
from actions.open_unanswered import open_unanswered
from actions.put_off_delivery import put_off_delivery
from actions.put_off_look import put_off_look
from actions.read_incident import read_incident
from actions.take_turns import take_turns
from actions.wait_for_names import wait_for_names
from playbooks.device_code_phishing import device_code_phishing
from playbooks.tenant_hunt import tenant_hunt
from respond import durable
from respond.answering import (
    case_of,
    in_its_time,
    left_out,
    named_by,
    nobody_named,
    not_found,
    tickets_for,
    unanswered_of,
)
from respond.errors import Permanent, RespondError, passes, until_of
from respond.models.accounts import FoundAccounts
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intake import Delivery, Round, Unanswered
from respond.models.notice import Named
from respond.models.report import Attached, Report
from respond.step import playbook
from respond.telling import tell_answer, tell_end, tell_taken


@dataclass(frozen=True)
class Trouble:
    """Why something could not be found out.

    Attributes:
        passes: a service did not answer; it is asked again later.
        permanent: the failure is final; neither is a run that broke, or a user who is not there yet.
    """

    reason: str
    passes: bool = False
    permanent: bool = False
    until: datetime | None = None

    @classmethod
    def of(cls, error: RespondError) -> Trouble:
        is_passing = passes(error)
        return cls(error.message, is_passing, isinstance(error, Permanent) and not is_passing, until_of(error))


@playbook("answer_delivery")
async def answer_delivery(case: Case, delivery: Delivery, number: int) -> None:
    """Answer for every user that a delivery is about.

    Args:
        number: of the try, from 0. One that finds nobody is put off, as long as the delivery has patience, and without
            end while a service does not answer.
    """
    named, trouble = await _named(case, delivery)
    if not named and trouble and trouble.passes:
        await put_off_delivery(case, delivery=delivery, because=trouble.reason, until=trouble.until)
        return
    if not named and await wait_for_names(case, delivery=delivery, number=number):
        return
    found = await find_accounts(case, named=named) if named else FoundAccounts()
    reason = trouble.reason if trouble else ""
    missing = (*unanswered_of(found), *left_out(delivery), *(() if named else nobody_named(delivery, reason)))
    if await _put_off(case, delivery, found, trouble):
        await asyncio.gather(
            *(_hand_over(case, delivery, about, group) for about, group in tickets_for(delivery, missing))
        )
        return
    people = {one.account.id.lower(): one.account for one in found.users}
    turns = await take_turns(case, delivery=delivery, people=tuple(people.values()))
    answers = asyncio.gather(*(_answer(case, people[user]) for user in turns.mine), return_exceptions=True)
    handed = [_hand_over(case, delivery, about, group) for about, group in tickets_for(delivery, missing)]
    await asyncio.gather(answers, tell_taken(case, delivery, found, missing), *handed)
    # A run that broke is a defect; it is raised when the others are through, so that the delivery is begun anew.
    for broken in (end for end in answers.result() if isinstance(end, BaseException)):
        raise broken
    if not missing and not turns.others:
        await tell_end(case, delivery, [end for end in answers.result() if not isinstance(end, BaseException)])


async def _named(case: Case, delivery: Delivery) -> tuple[tuple[Named, ...], Trouble | None]:
    """Whom the delivery names, or its incident by now, or the sign-ins in the time of its alerts; and what went wrong.

    What went wrong ends nothing: the other way may lead to somebody, and a later look as well.
    """
    if delivery.notice.accounts:
        return delivery.notice.accounts, None
    trouble = None
    try:
        if delivery.notice.incident:
            record = await read_incident(case, incident=delivery.notice.incident)
            if record.accounts:
                return record.accounts, None
    except RespondError as error:
        trouble = Trouble.of(error)
    try:
        return named_by(await tenant_hunt(in_its_time(case, delivery))), trouble
    except RespondError as error:
        # Of two, the one that passes: what it keeps from being known will be known.
        return (), trouble if trouble and trouble.passes else Trouble.of(error)


async def _put_off(case: Case, delivery: Delivery, found: FoundAccounts, trouble: Trouble | None) -> bool:
    """Put off what a service that does not answer keeps from being found out; whether that is the whole delivery.

    Every user that was found is handled at once. Where the incident could not be read, and the hunt stood in for it,
    the incident is read when Sentinel answers.
    """
    failed = [one for one in found.failed if one.passes]
    if failed:
        because, until = failed[0].reason, max((one.until for one in failed if one.until), default=None)
        rest = not_found(found) if found.users else None
        await put_off_delivery(case, delivery=delivery, because=because, until=until, rest=rest)
        return rest is None
    if trouble and trouble.passes and found.users:
        await put_off_delivery(case, delivery=delivery, because=trouble.reason, until=trouble.until, rest=())
    return False


async def _answer(case: Case, account: Account) -> Report | None:
    user = account.id.lower()
    return await durable.part(answer_user, f"{case.run}/{user}", case, account)


@playbook("answer_user")
async def answer_user(case: Case, account: Account) -> Report | None:
    """Triage one user, and again for deliveries that arrive meanwhile, until there are none or a service is away."""
    number, report = 0, None
    user = account.id.lower()
    while looked := await next_round(case, user=user, owner=case.run, number=number):
        report, trouble = await _look(case, account, looked)
        if trouble and not trouble.permanent:
            reason, passes, until = trouble.reason, trouble.passes, trouble.until
            if await put_off_look(case, looked=looked, because=reason, passes=passes, until=until):
                return None
        failure = trouble.reason if trouble else ""
        answer = report.case if report else await _give_up_on(case, account, looked, failure)
        await end_round(case, looked=looked, answer=answer)
        told = await tell_answer(case, looked, account, report, failure)
        if report and told:
            await keep_write_backs(case.model_copy(update={"id": report.case}), changes=told)
        number += 1
    return report


async def _look(case: Case, account: Account, looked: Round) -> tuple[Report | None, Trouble | None]:
    """What a look at the user says, or why there was none."""
    try:
        look = case_of(case, account, looked)
        answer = await durable.part(device_code_phishing, look.run, look)
        report = await join_run(case, attached=answer) if isinstance(answer, Attached) else answer
    except RespondError as error:
        return None, Trouble.of(error)
    return report, None if report else Trouble("the run that had the case failed")


async def _hand_over(case: Case, delivery: Delivery, about: str, people: Sequence[Unanswered]) -> None:
    await open_unanswered(case, about=about, people=people, sightings=(delivery.sighting,))


async def _give_up_on(case: Case, account: Account, looked: Round, failure: str) -> str:
    people: Sequence[Unanswered] = (
        Unanswered(label=account.upn or account.id, reason=f"could not be judged: {failure}"),
    )
    told = await open_unanswered(case, about=account.id.lower(), people=people, sightings=looked.sightings)
    return told.target
