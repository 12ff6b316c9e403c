"""Device code phishing: the user typed an attacker's code into the real Microsoft sign-in page.

    1. hunt       Which device code sign-ins, into which app, and who redeemed them?
    2. correlate  At the same time: is that device, place and risk usual? Is the address on a list? Did a lure come
                  before, who is the user, and what was done with the token since?
    3. decide     Malicious, suspicious or benign, with every point explained; as soon as it is certain.
    4. contain    End what the attacker holds, device first, and read back that it ended. The rest of the evidence comes
                  in meanwhile.
    5. clear      Take away what was added to stay.
    6. record     One ticket, also when containment failed, and a notice to whoever has to know at once.
    7. close      Keep the report, ask the person who has to approve, and plan when to look again: after a containment,
                  and once rows that were late must have arrived.

ATT&CK: T1566.002 Spearphishing Link, T1528 Steal Application Access Token, T1078.004 Cloud Accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from actions.close_run import close_run
from actions.find_lookalikes import find_lookalikes
from actions.find_recipients import find_recipients
from actions.know_time import know_time
from actions.know_user import know_user
from actions.open_case import open_case
from actions.open_limit_ticket import open_limit_ticket
from actions.open_ticket import open_ticket
from actions.record_decision import record_decision
from actions.send_notice import send_notice
from playbooks.unfinished import could_not_judge, record_what_was_done
from respond.containing import Containing
from respond.decision.ladder import ground_of, needed_for
from respond.decision.lookalikes import told_of_lookalikes
from respond.decision.survival import told_of_survivors
from respond.decision.verdict import certain, decide
from respond.errors import RespondError, Transient, UsageError
from respond.gathering import Gathering
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.facts import facts_of
from respond.models.intake import Trigger
from respond.models.report import Attached, Report, Verdict
from respond.models.timeline import timeline
from respond.reporting import report_on
from respond.skew import by_their_time, skew_of
from respond.step import playbook
from respond.tasks import gone_already, tasks_for


@playbook("device_code_phishing", takes_place=True)
async def device_code_phishing(case: Case) -> Report | Attached:
    """Triage one user; contain and record if the evidence says so. What was done is recorded, whatever breaks."""
    account = None
    try:
        account = await know_user(case)
        now, ahead = await know_time(case)
        return await _answer(by_their_time(case, now, ahead), account, skew_of(ahead))
    except UsageError:
        raise
    except RespondError as error:
        # A delivery is put off, or has a ticket of its own for whom it could not answer for; so is a look of a watch.
        is_put_off = bool(case.watch) and isinstance(error, Transient)
        if case.is_dry_run or case.trigger is not Trigger.COMMAND or is_put_off:
            raise
        return await could_not_judge(case, account, error)


async def _answer(case: Case, account: Account, skew: Sequence[Gap]) -> Report | Attached:
    gathering, containing = Gathering(case, account), Containing(case, account)
    containing.gaps += skew
    try:
        return await _triage(case, account, gathering, containing)
    except Exception as error:
        if not containing.changes or containing.verdict is None:
            raise
        return await record_what_was_done(account, containing, containing.verdict, error)
    finally:
        await gathering.stop()


async def _triage(case: Case, account: Account, gathering: Gathering, containing: Containing) -> Report | Attached:
    signins = await gathering.signins_found()
    claim = await open_case(case, account=account, signins=signins)
    case = gathering.case = case.model_copy(update={"id": claim.case, "read_again": claim.read_again})
    if claim.busy_run:
        return Attached(case=claim.case, run=claim.busy_run)

    containing.case = case
    early = await _certain(case, gathering) if signins.completed and case.act_early else None
    if early:
        await _end_sessions(containing, account, early, gathering)

    evidence = await gathering.rest() if signins.completed else gathering.evidence
    verdict = await gathering.worked_out(partial(decide, case.policy))
    if verdict.is_benign:
        seen = await find_lookalikes(case, account=account)
        verdict = told_of_lookalikes(verdict, account.upn or account.id, signins, seen)
    if not verdict.is_benign:
        ground = await gathering.worked_out(partial(ground_of, case.policy, account, verdict))
        if not early:
            await _end_sessions(containing, account, verdict, gathering)
        await containing.clear(ground)
        verdict = told_of_survivors(verdict, ground.survivors)

    tasks: tuple[str, ...] = ()
    # Also where the response plan lets nothing be done: somebody has to know.
    if containing.changes or not verdict.is_benign or verdict.asks_to_look:
        others = await find_recipients(case, lures=evidence.lures)
        unread = evidence.footholds.gaps if evidence.footholds.unread else ()
        tasks = tasks_for(containing.account, others, (*containing.gaps, *unread))
        ticket = await open_ticket(
            case,
            account=account,
            verdict=verdict,
            changes=containing.changes,
            timeline=timeline(signins, evidence),
            outcome=containing.outcome(verdict),
            tasks=tasks,
            gone=gone_already(containing.account),
            evidence=evidence,
        )
        containing.changes.append(ticket)
        if any(change.held == "limit" for change in containing.changes):
            await open_limit_ticket(case, account=account, changes=containing.changes)
        if case.notifies:
            changes, outcome = tuple(containing.changes), containing.outcome(verdict)
            told = await send_notice(case, account=account, verdict=verdict, changes=changes, outcome=outcome)
            containing.changes.append(told)

    facts = () if verdict.is_benign else facts_of(verdict.guilty(signins), evidence.lures, case.policy)
    report = report_on(case, account, signins, evidence, verdict, containing, tasks)
    return await close_run(case, report=report, facts=facts, late=(*evidence.late, *evidence.incomplete))


async def _end_sessions(containing: Containing, account: Account, verdict: Verdict, gathering: Gathering) -> None:
    """End what the attacker holds, once it is known whom the brakes protect, and whose a new device is."""
    case = containing.case = containing.case.model_copy(update={"tenant_users": await gathering.tenant_users()})
    await record_decision(case, verdict=verdict)
    devices = await gathering.devices()
    for parts in needed_for(case.policy, verdict, gathering.signins, devices):
        await gathering.known(*parts)
    ground = await gathering.worked_out(partial(ground_of, case.policy, account, verdict))
    await containing.end_sessions(ground, devices)


async def _certain(case: Case, gathering: Gathering) -> Verdict | None:
    """The verdict, as soon as nothing that is still to come can change it; None when that is never before the end."""
    while gathering.evidence.pending:
        if verdict := await gathering.worked_out(partial(certain, case.policy)):
            return verdict
        if not await gathering.more():
            break
    return None
