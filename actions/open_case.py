"""Which case is this? The one that knows these sign-ins already, or a new one.

Webhook, schedule and command line meet here. The case is taken for this run; if another run is at work on it,
this one attaches to that one. A dry run notes which case it is about, for its plan to be found, and takes nothing.
Who brought the case is noted as well.

Safe to repeat: the same run finds the same case and holds it once.
"""

from __future__ import annotations

from respond.models.case import Case, Claim
from respond.models.evidence import Account
from respond.models.signin import SignIns
from respond.step import process, read_action


@read_action()
async def open_case(case: Case, *, account: Account, signins: SignIns) -> Claim:
    """Find or open the case of these sign-ins."""
    flows = [flow.keys for flow in signins.completed] or [(f"quiet:{account.id}",)]
    store = process().store
    claim = store.claim(
        tenant=case.tenant,
        user_id=account.id,
        flows=flows,
        run=case.run,
        exclusive=not case.is_dry_run,
        seen_at=account.seen_at,
    )
    store.intake.seen(claim.case, case.sightings)
    return claim
