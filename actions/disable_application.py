"""Disable an application that was registered since the approval: it signs in without the user, and outlives everything.

    PATCH /servicePrincipals/{object id} {"accountEnabled": false}
    https://learn.microsoft.com/graph/api/serviceprincipal-update

Safe to repeat: an application that is disabled is left alone. Can be undone: it is enabled again, and nothing is lost.

Leaves open: access tokens that the application holds, for up to an hour; the same application in other tenants.
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


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    application = await clients(case).graph.added.principal(step.object)
    done = application.enabled is False
    return Seen(done=done, says="disabled" if done else "enabled", before={"accountEnabled": not done})


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Enable it again, if it was."""
    wanted, graph = bool(before["accountEnabled"]), clients(case).graph.added
    if ((await graph.principal(step.object)).enabled is not False) == wanted:
        return None
    return graph.set_principal(step.object, enabled=wanted)


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="nobody signs in to the application, and it signs in nowhere in this tenant",
        leaves="access tokens that the application holds",
        undo="PATCH accountEnabled back to true",
        done="disabled",
    ),
)


@rung(KIT, "Directory.Read.All", "Application.ReadWrite.All")
def disable_application(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Refuse sign-ins of and to one application.

    Raises:
        NotFound: the application does not exist (any more).
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.added.set_principal(step.object, enabled=False)
