"""Device code phishing: the user typed an attacker's code into the real Microsoft sign-in page.

    1. hunt       Which device code sign-ins, into which app, and who redeemed them?
    2. correlate  Is that device, place and risk usual? Is the address on a list? Did a lure come before, and what
                  was done with the token since?
    3. decide     Malicious, suspicious or benign, with every point explained.
    4. contain    End what the attacker holds, and read back that it ended.
    5. record     One ticket, also when containment failed.
    6. close      Keep the report; the next run about the same sign-ins finds it.

ATT&CK: T1566.002 Spearphishing Link, T1528 Steal Application Access Token, T1078.004 Cloud Accounts.
"""

from __future__ import annotations

import asyncio

from actions.close_run import close_run
from actions.find_footholds import find_footholds
from actions.find_lures import find_lures
from actions.find_token_use import find_token_use
from actions.find_usual_places import find_usual_places
from actions.hunt_device_code_signins import hunt_device_code_signins
from actions.know_user import know_user
from actions.match_threat_intel import match_threat_intel
from actions.open_case import open_case
from actions.open_ticket import open_ticket
from actions.revoke_sessions import revoke_sessions
from respond.decision.verdict import decide
from respond.models.case import Case
from respond.models.evidence import Account, Evidence
from respond.models.report import Attached, Change, Report
from respond.models.signin import SignIns
from respond.models.timeline import timeline
from respond.reporting import report_on
from respond.step import playbook


@playbook("device_code_phishing")
async def device_code_phishing(case: Case) -> Report | Attached:
    """Triage one user; contain and record if the evidence says so."""
    account = await know_user(case)
    signins = await hunt_device_code_signins(case, account=account)
    claim = await open_case(case, account=account, signins=signins)
    case = case.model_copy(update={"id": claim.case})
    if claim.busy_run:
        return Attached(case=claim.case, run=claim.busy_run)

    evidence = await _correlate(case, account, signins)
    verdict = decide(case.policy, signins, evidence)

    changes: list[Change] = []
    if verdict.last_token and not verdict.is_benign:
        changes.append(
            await revoke_sessions(case, account=account, after=verdict.last_token, certain=verdict.is_malicious)
        )
        story = timeline(signins, evidence)
        changes.append(await open_ticket(case, account=account, verdict=verdict, changes=changes, timeline=story))

    return await close_run(case, report=report_on(case, account, signins, evidence, verdict, changes))


async def _correlate(case: Case, account: Account, signins: SignIns) -> Evidence:
    if not signins.completed:
        return Evidence()
    lures, usual, intel, uses, footholds = await asyncio.gather(
        find_lures(case, account=account, signins=signins),
        find_usual_places(case, signins=signins),
        match_threat_intel(case, signins=signins),
        find_token_use(case, signins=signins),
        find_footholds(case, account=account),
    )
    return Evidence(lures=lures, usual=usual, intel=intel, uses=uses, footholds=footholds)
