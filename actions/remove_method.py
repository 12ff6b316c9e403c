"""Remove an authentication method that was added since the approval: with it, the attacker passes MFA as the user.

    DELETE /users/{id}/authentication/{type}Methods/{method id}
    https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview

Safe to repeat: a method that is not listed any more is left alone. Cannot be undone: the user registers one again.

Entra refuses to delete the user's default method while there are others: it comes after them, or a person chooses
another default first.

Leaves open: sessions that were opened with it; the revocation ends those.
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

_ANY = "UserAuthenticationMethod.ReadWrite.All"
_PERMISSIONS = {
    "emailAuthenticationMethod": "UserAuthMethod-Email.ReadWrite.All",
    "externalAuthenticationMethod": "UserAuthMethod-External.ReadWrite.All",
    "fido2AuthenticationMethod": "UserAuthMethod-Passkey.ReadWrite.All",
    "microsoftAuthenticatorAuthenticationMethod": "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All",
    "phoneAuthenticationMethod": "UserAuthMethod-Phone.ReadWrite.All",
    "platformCredentialAuthenticationMethod": "UserAuthMethod-PlatformCred.ReadWrite.All",
    "softwareOathAuthenticationMethod": "UserAuthMethod-SoftwareOATH.ReadWrite.All",
    "temporaryAccessPassAuthenticationMethod": "UserAuthMethod-TAP.ReadWrite.All",
    "windowsHelloForBusinessAuthenticationMethod": "UserAuthMethod-WindowsHello.ReadWrite.All",
}
"""The least permission for each sort of method: https://learn.microsoft.com/graph/permissions-reference"""


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    there = any(one.id == step.object for one in await clients(case).graph.holdings.methods(account.id))
    return Seen(done=not there, says="registered" if there else "not registered", before={"registered": there})


KIT = Kit(
    look=_look,
    needs=lambda step: ("UserAuthenticationMethod.Read.All", _PERMISSIONS.get(step.kind, _ANY)),
    terms=Terms(
        costs="the method works no more: if it was the user's own, they register it anew",
        leaves="sessions that were opened with it, until the revocation",
        undo="cannot be undone: the user registers a method anew",
        done="removed",
        refused="a default method goes last: choose another default in Entra, then run respond again",
    ),
)


@rung(KIT, "UserAuthenticationMethod.Read.All", *sorted(_PERMISSIONS.values()))
def remove_method(case: Case, *, account: Account, step: Step) -> RequestInformation:
    """Take one method away.

    Raises:
        Permanent: Graph deletes no method of this type.
        NotFound: the method does not exist (any more).
        Forbidden: the permission for its type was not granted, or the user is an administrator.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.delete_method(account.id, step.kind, step.object)
