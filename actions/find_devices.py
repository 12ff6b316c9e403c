"""Which devices does the user have in the directory? What was registered since the approval outlives a revocation.

    GET /users/{id}/registeredDevices
    GET /users/{id}/ownedDevices
    https://learn.microsoft.com/graph/api/user-list-registereddevices

Read only.
"""

from __future__ import annotations

from respond.clients.lanes import within
from respond.errors import RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.holdings import DEVICES, Devices
from respond.step import clients, limit_of, read_action


@read_action("User.Read.All", first=True)
async def find_devices(case: Case, *, account: Account) -> Devices:
    """Every device that the user registered or owns; what cannot be read is a gap."""
    limit = limit_of("find_devices").total_seconds()
    try:
        async with within(limit):
            return Devices(devices=tuple(await clients(case).graph.holdings.devices(account.id)))
    except (RespondError, TimeoutError) as error:
        return Devices(
            gaps=(Gap(source=DEVICES, reason=str(error) or f"no answer within {limit:.0f} s", passes=passes(error)),)
        )
