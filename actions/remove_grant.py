"""Remove a consent that was given since the approval: the application can no longer act as the user.

    DELETE /oauth2PermissionGrants/{id}
    https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete

Safe to repeat: a consent that is not listed any more is left alone. Can be undone: the same consent is given again.

Leaves open: access tokens that the application holds; what was consented to for the whole tenant by an administrator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.clients.graph_holdings import shown
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.models.report import Request
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients

if TYPE_CHECKING:
    from pydantic import JsonValue


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    graph = clients(case).graph.holdings
    if not any(one.id == step.object for one in await graph.grants(account.id)):
        return Seen(done=True, says="not given")
    kept = await graph.grant(step.object)
    return Seen(done=False, says=f"given: {str(kept['scope']).strip()}", before=kept)


def _ask(case: Case, account: Account, step: Step) -> Request:  # noqa: ARG001 - of a rung
    return shown(clients(case).graph.holdings.delete_grant(step.object))


async def _restore(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> Request | None:
    """Give the same consent again, unless it is given."""
    graph = clients(case).graph.holdings
    same = (before["clientId"], before["resourceId"])
    if any((one.client, one.resource) == same for one in await graph.grants(account.id)):
        return None
    request = graph.make_grant({name: value for name, value in before.items() if value is not None})
    if not case.is_dry_run:
        await graph.send(request, about=f"consent to {step.label}")
    return shown(request)


KIT = Kit(
    look=_look,
    ask=_ask,
    restore=_restore,
    terms=Terms(
        costs="the application loses its access to the user's data",
        leaves="access tokens that it holds",
        undo="POST /oauth2PermissionGrants with the same values",
        done="removed",
    ),
)


@rung(KIT, "Directory.Read.All", "DelegatedPermissionGrant.ReadWrite.All")
async def remove_grant(case: Case, *, account: Account, step: Step) -> None:  # noqa: ARG001 - of a rung
    """Take one consent back.

    Raises:
        NotFound: the consent does not exist (any more).
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    graph = clients(case).graph.holdings
    await graph.send(graph.delete_grant(step.object), about=f"consent to {step.label}")
