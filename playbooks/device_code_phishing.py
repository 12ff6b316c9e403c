"""Device code phishing: the user typed an attacker's code into the real Microsoft sign-in page.

    1. hunt       Which device code sign-ins, into which app, and who redeemed them?
    2. correlate  At the same time: is that device, place and risk usual? Is the address on a list? Did a lure come
                  before, who is the user, and what was done with the token since?
    3. decide     Malicious, suspicious or benign, with every point explained; as soon as it is certain.
    4. contain    End what the attacker holds, and read back that it ended. The rest of the evidence comes in meanwhile.
    5. record     One ticket, also when containment failed.
    6. close      Keep the report; the next run about the same sign-ins finds it.

ATT&CK: T1566.002 Spearphishing Link, T1528 Steal Application Access Token, T1078.004 Cloud Accounts.
"""

from __future__ import annotations

from actions.close_run import close_run
from actions.know_user import know_user
from actions.open_case import open_case
from actions.open_ticket import open_ticket
from actions.revoke_sessions import revoke_sessions
from respond.decision.verdict import certain, decide
from respond.gathering import Gathering
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.facts import facts_of
from respond.models.report import Attached, Change, Report, Verdict
from respond.models.timeline import timeline
from respond.reporting import report_on
from respond.step import playbook


@playbook("device_code_phishing")
async def device_code_phishing(case: Case) -> Report | Attached:
    """Triage one user; contain and record if the evidence says so."""
    account = await know_user(case)
    gathering = Gathering(case, account)
    try:
        return await _triage(case, account, gathering)
    finally:
        await gathering.stop()


async def _triage(case: Case, account: Account, gathering: Gathering) -> Report | Attached:
    signins = await gathering.signins_found()
    claim = await open_case(case, account=account, signins=signins)
    case = gathering.case = case.model_copy(update={"id": claim.case, "read_again": claim.read_again})
    if claim.busy_run:
        return Attached(case=claim.case, run=claim.busy_run)

    changes: list[Change] = []
    early = await _certain(case, gathering) if signins.completed and case.act_early else None
    if early and early.last_token:
        changes.append(await revoke_sessions(case, account=account, after=early.last_token, certain=True))

    evidence = await gathering.rest() if signins.completed else gathering.evidence
    verdict = decide(case.policy, signins, evidence)
    if not early and verdict.last_token and not verdict.is_benign:
        changes.append(
            await revoke_sessions(case, account=account, after=verdict.last_token, certain=verdict.is_malicious)
        )
    if changes:
        story = timeline(signins, evidence)
        changes.append(await open_ticket(case, account=account, verdict=verdict, changes=changes, timeline=story))

    facts = () if verdict.is_benign else facts_of(verdict.guilty(signins), evidence.lures, case.policy)
    report = report_on(case, account, signins, evidence, verdict, changes)
    return await close_run(case, report=report, facts=facts)


async def _certain(case: Case, gathering: Gathering) -> Verdict | None:
    """The verdict, as soon as nothing that is still to come can change it; None when that is never before the end."""
    while gathering.evidence.pending:
        if verdict := certain(case.policy, gathering.signins, gathering.evidence):
            return verdict
        if not await gathering.more():
            break
    return None
