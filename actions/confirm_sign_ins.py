"""Tell Identity Protection that these sign-ins were not the user's; it learns from that.

    POST /auditLogs/signIns/confirmCompromised {"requestIds": [...]}
    https://learn.microsoft.com/graph/api/signin-confirmcompromised

Safe to repeat: confirming a sign-in twice says the same, and a case confirms its own once. Cannot be undone. What
became of it cannot be read back; it ends nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Begun, Step
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients, process

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    told = process().store.intents.find(case.id, step.rung.value, step.object)
    # What was sent is not sent again, also when its answer was lost: nothing shows whether it arrived.
    done = told is not None and set(step.ids) <= set(Begun.model_validate_json(told.step).step.ids)
    return Seen(done=done, says="told before" if done else "not told yet", before={"told": done})


KIT = Kit(
    look=_look,
    provable=False,
    terms=Terms(
        costs="nothing that the user would notice",
        leaves="everything: it only teaches the detection",
        undo="cannot be undone",
        done="confirmed compromised",
        contains=False,
    ),
)


@rung(KIT, "IdentityRiskEvent.ReadWrite.All")
def confirm_sign_ins(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Confirm some sign-ins as compromised.

    Raises:
        Forbidden: the permission was not granted, or the tenant has no P2 licence.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.confirm_sign_ins(step.ids)
