"""Delete a device that was registered since the approval and cannot be disabled, as Entra allows for Windows only.

    DELETE /devices/{object id}
    https://learn.microsoft.com/graph/api/device-delete

Comes before the revocation, as disabling does: the primary refresh token on the device ends with it.
Safe to repeat: a device that does not exist any more is left alone. Cannot be undone: the device is registered again,
and keys that are kept with it, such as those of BitLocker, are lost.

Leaves open: access tokens already issued to it.
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


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:
    holdings = clients(case).graph.holdings
    try:
        device = await holdings.device(step.object)
    except NotFound:
        # It was in a list a moment ago; gone is what the lists lack as well.
        listed = () if before else await holdings.devices(account.id)
        if not (found := [one for one in listed if one.id == step.object]):
            return Seen(done=True, says="not in the directory", before={"registered": False})
        device = found[0]
    system = f" ({device.system})" if device.system else ""
    return Seen(done=False, says=f"registered{system}", before={"registered": True})


KIT = Kit(
    look=_look,
    terms=Terms(
        costs="the device has to be registered again; keys that Entra keeps for it, such as BitLocker's, are lost",
        leaves="access tokens already issued to it",
        undo="cannot be undone: the device is registered again",
        done="deleted",
    ),
)


@rung(KIT, "Device.ReadWrite.All")
def delete_device(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Remove one device from the directory.

    Raises:
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.added.delete_device(step.object)
