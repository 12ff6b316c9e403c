"""Remove a secret that was added to an application since the approval: with it, the attacker signs in as that.

    POST /applications/{object id}/removePassword {"keyId"}
    POST /servicePrincipals/{object id}/removePassword {"keyId"}
    https://learn.microsoft.com/graph/api/application-removepassword

Safe to repeat: a secret that is not listed any more is left alone. Cannot be undone: a new one is made.

Leaves open: access tokens that were had with it; certificates and federated credentials, which this does not reach.
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


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    there = any(key.id == step.object for key in await clients(case).graph.added.keys(step.kind))
    return Seen(done=not there, says="valid" if there else "not listed", before={"valid": there})


KIT = Kit(
    look=_look,
    terms=Terms(
        costs="whatever signs in with this secret stops",
        leaves="access tokens that were had with it",
        undo="cannot be undone: a new secret is made",
        done="removed",
    ),
)


@rung(KIT, "Directory.Read.All", "Application.ReadWrite.All")
def remove_secret(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Take one secret away.

    Raises:
        NotFound: the application does not exist (any more).
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.added.remove_password(step)
