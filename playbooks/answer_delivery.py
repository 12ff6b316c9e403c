"""One delivery of Sentinel or of the schedule: find the users it is about, and answer for each of them.

1. find    Whom does it name? Nobody yet: hunt the time of its alerts, and read the incident again later.
2. take    Whose turn is it? One run looks at a user at a time; whoever has the turn answers for all who ask.
3. answer  Every user side by side; what fails for one hides no other.
4. tell    The incident: who is being answered for, and what each answer is.
5. hand    Whom nobody could answer for to a person, in a ticket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from actions.end_round import end_round
from actions.find_accounts import find_accounts
from actions.join_run import join_run
from actions.keep_write_backs import keep_write_backs
from actions.next_round import next_round
from actions.open_unanswered import open_unanswered
from actions.read_incident import read_incident
from actions.take_turns import take_turns
from actions.wait_for_names import wait_for_names
from playbooks.device_code_phishing import device_code_phishing
from playbooks.tenant_hunt import tenant_hunt
from respond import durable
from respond.answering import case_of, in_its_time, left_out, named_by, nobody_named, tickets_for, unanswered_of
from respond.errors import Permanent, RespondError, until_of
from respond.models.accounts import FoundAccounts
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intake import Delivery, Round, Unanswered
from respond.models.notice import Named
from respond.models.report import Attached, Report
from respond.step import playbook, resting, room
from respond.telling import tell_answer, tell_end, tell_taken

_AGAIN_AFTER = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))


@playbook("answer_delivery")
async def answer_delivery(case: Case, delivery: Delivery, number: int) -> None:
    """Answer for every user that a delivery is about.

    Args:
        number: of the try, from 0. One that finds nobody is put off, as long as the delivery has patience.
    """
    named, trouble = await _named(case, delivery)
    if not named and await wait_for_names(case, delivery=delivery, number=number):
        return
    found = await find_accounts(case, named=named) if named else FoundAccounts()
    missing = (*unanswered_of(found), *left_out(delivery), *(() if named else nobody_named(delivery, trouble)))
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


async def _named(case: Case, delivery: Delivery) -> tuple[tuple[Named, ...], str]:
    """Whom the delivery names, or its incident by now, or the sign-ins in the time of its alerts; and what went wrong.

    What went wrong ends nothing: the other way may lead to somebody, and a later look as well.
    """
    if delivery.notice.accounts:
        return delivery.notice.accounts, ""
    trouble = ""
    try:
        if delivery.notice.incident:
            record = await read_incident(case, incident=delivery.notice.incident)
            if record.accounts:
                return record.accounts, ""
    except RespondError as error:
        trouble = error.message
    try:
        return named_by(await tenant_hunt(in_its_time(case, delivery))), trouble
    except RespondError as error:
        return (), error.message


async def _answer(case: Case, account: Account) -> Report | None:
    user = account.id.lower()
    return await durable.part(answer_user, f"{case.run}/{user}", case, account)


@playbook("answer_user")
async def answer_user(case: Case, account: Account) -> Report | None:
    """Look at one user, and again for whoever asked meanwhile, until nobody does."""
    number, report = 0, None
    user = account.id.lower()
    while looked := await next_round(case, user=user, owner=case.run, number=number):
        report, failure = await _look(case, account, looked)
        answer = report.case if report else await _give_up_on(case, account, looked, failure)
        await end_round(case, looked=looked, answer=answer)
        told = await tell_answer(case, looked, account, report, failure)
        if report and told:
            await keep_write_backs(case.model_copy(update={"id": report.case}), changes=told)
        number += 1
    return report


async def _look(case: Case, account: Account, looked: Round) -> tuple[Report | None, str]:
    """What a look at the user says, or why there was none, after trying again for a while."""
    failure = ""
    until = case.started
    for number, pause in enumerate((*_AGAIN_AFTER, None)):
        try:
            async with room():
                look = case_of(case, account, looked, number)
                answer = await durable.part(device_code_phishing, look.run, look)
            report = await join_run(case, attached=answer) if isinstance(answer, Attached) else answer
            if report is not None:
                return report, ""
            failure = "the run that had the case failed"
        except RespondError as error:
            failure = error.message
            if isinstance(error, Permanent):
                break
            until = until_of(error) or until
        if pause:
            with resting():
                await durable.sleep_until(until, least=pause)
    return None, failure


async def _hand_over(case: Case, delivery: Delivery, about: str, people: Sequence[Unanswered]) -> None:
    await open_unanswered(case, about=about, people=people, sightings=(delivery.sighting,))


async def _give_up_on(case: Case, account: Account, looked: Round, failure: str) -> str:
    people: Sequence[Unanswered] = (
        Unanswered(label=account.upn or account.id, reason=f"could not be judged: {failure}"),
    )
    told = await open_unanswered(case, about=account.id.lower(), people=people, sightings=looked.sightings)
    return told.target
