"""Tell Identity Protection that the user is compromised: risk policies then block or ask for a new password.

    POST /identityProtection/riskyUsers/confirmCompromised {"userIds": [id]}
    https://learn.microsoft.com/graph/api/riskyuser-confirmcompromised

Safe to repeat: a user who is confirmed already is left alone. Can be undone: the risk is dismissed. Needs Entra ID P2.

Leaves open: SharePoint does not look at a user's risk, so this replaces no revocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from pydantic import JsonValue

_CONFIRMED = "confirmedcompromised"


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    risk = await clients(case).graph.risk(account.id)
    done = risk.risk_state.lower() == _CONFIRMED
    says = "confirmed compromised" if done else f"risk state {risk.risk_state or 'none'}"
    return Seen(done=done, says=says, before={"riskState": risk.risk_state})


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Dismiss the risk; what it was before is Identity Protection's to find again."""
    if (await clients(case).graph.risk(account.id)).risk_state.lower() != _CONFIRMED:
        return None
    return clients(case).graph.holdings.dismiss_user(account.id)


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="risk policies may block the user or ask for a new password, and Microsoft's remediation may revoke too",
        leaves="SharePoint, which does not look at a user's risk",
        undo="POST /identityProtection/riskyUsers/dismiss; the risk from before is not restored",
        done="confirmed compromised",
        contains=False,
    ),
)


@rung(KIT, "IdentityRiskyUser.ReadWrite.All")
def confirm_user(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Confirm one user as compromised.

    Raises:
        Forbidden: the permission was not granted, or the tenant has no P2 licence.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.confirm_user(account.id)
