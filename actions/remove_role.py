"""Remove a directory role that was assigned since the approval.

    DELETE /roleManagement/directory/roleAssignments/{id}
    https://learn.microsoft.com/graph/api/unifiedroleassignment-delete

Safe to repeat: an assignment that does not exist any more is left alone. Can be undone: the role is assigned again.

Leaves open: access tokens that carry the role, for up to an hour; eligible assignments of Privileged Identity
Management, which a person removes there.
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
    graph = clients(case).graph.added
    held = await graph.assignment(step.object)
    if held is None and before is None and step.kind:
        # It was in a list a moment ago; gone is what the list lacks as well.
        held = next((one for one in await graph.assignments(step.kind) if one.id == step.object), None)
    if held is None:
        return Seen(done=True, says="not assigned")
    kept: dict[str, JsonValue] = {
        "principalId": held.principal,
        "roleDefinitionId": held.role,
        "directoryScopeId": held.scope,
    }
    return Seen(done=False, says="assigned", before=kept)


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Assign the same role again, unless it is assigned."""
    graph = clients(case).graph.added
    same = (before["roleDefinitionId"], before["directoryScopeId"])
    if any((one.role, one.scope) == same for one in await graph.assignments(str(before["principalId"]))):
        return None
    return graph.make_assignment(before)


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="the user loses the role",
        leaves="access tokens that carry the role",
        undo="POST /roleManagement/directory/roleAssignments with the same values",
        done="removed",
    ),
)


@rung(KIT, "Directory.Read.All", "RoleManagement.ReadWrite.Directory")
def remove_role(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Take one role assignment back.

    Raises:
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.added.delete_assignment(step.object)
