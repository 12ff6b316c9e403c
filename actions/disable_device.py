"""Disable a device that was registered since the approval: the primary refresh token on it ends with it.

    PATCH /devices/{object id} {"accountEnabled": false}
    https://learn.microsoft.com/graph/api/device-update

Comes before the revocation: a token that is bound to a device outlives that, and a new password as well.
Safe to repeat: a device that is disabled is left alone. Can be undone: it is enabled again, and nothing is lost.

Leaves open: access tokens already issued; a device that is registered in the meantime, so devices are listed again.
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
    device = await clients(case).graph.holdings.device(step.object)
    done = device.enabled is False
    return Seen(done=done, says="disabled" if done else "enabled", before={"accountEnabled": device.enabled})


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Enable it again, if it was."""
    if (await clients(case).graph.holdings.device(step.object)).enabled == before["accountEnabled"]:
        return None
    return clients(case).graph.holdings.set_device(step.object, enabled=bool(before["accountEnabled"]))


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="the device signs in no more",
        leaves="access tokens already issued to it",
        undo="PATCH accountEnabled back to true",
        done="disabled",
    ),
)


@rung(KIT, "Device.ReadWrite.All")
def disable_device(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Refuse sign-ins from one device.

    Raises:
        NotFound: the device does not exist (any more).
        Forbidden: the permission was not granted.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.set_device(step.object, enabled=False)
