"""Remove a consent that was given since the approval: the application can no longer act as the user.

    DELETE /oauth2PermissionGrants/{id}
    https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete

Safe to repeat: a consent that is not listed any more is left alone. Can be undone: the same consent is given again.

Leaves open: access tokens that the application holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.errors import NotFound
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from pydantic import JsonValue

    from respond.clients.graph_holdings import Holdings


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:
    # By its id: the list of a user lacks what an administrator gave for everybody.
    holdings = clients(case).graph.holdings
    try:
        kept = await holdings.grant(step.object)
    except NotFound:
        # It was in a list a moment ago; gone is what the list lacks as well.
        if before is not None or not (kept := await _listed(holdings, account, step.object)):
            return Seen(done=True, says="not given")
    return Seen(done=False, says=f"given: {str(kept['scope']).strip()}", before=kept)


async def _listed(holdings: Holdings, account: Account, grant_id: str) -> dict[str, JsonValue]:
    """The consent as the list of its user has it; empty where that lacks it."""
    one = next((one for one in await holdings.grants(account.id) if one.id == grant_id), None)
    if one is None:
        return {}
    kind = "AllPrincipals" if one.everyone else "Principal"
    told = {"consentType": kind, "principalId": one.principal or None, "scope": one.scope}
    return {"clientId": one.client, "resourceId": one.resource, **told}


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Give the same consent again, unless it is given."""
    graph = clients(case).graph
    same = (before["clientId"], before["resourceId"], before["consentType"] == "AllPrincipals")
    given = [*await graph.holdings.grants(account.id), *await graph.added.grants(str(before["clientId"]))]
    if any((one.client, one.resource, one.everyone) == same for one in given):
        return None
    return graph.holdings.make_grant({name: value for name, value in before.items() if value is not None})


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="the application loses its access to the user's data",
        leaves="access tokens that it holds",
        undo="POST /oauth2PermissionGrants with the same values",
        done="removed",
    ),
)


@rung(KIT, "Directory.Read.All", "DelegatedPermissionGrant.ReadWrite.All")
def remove_grant(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Take one consent back.

    Raises:
        NotFound: the consent does not exist (any more).
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.delete_grant(step.object)
