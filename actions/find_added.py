"""Do the devices, applications and roles that the logs name still exist? Asked for by their ids.

    GET /devices/{id}, /servicePrincipals/{id}, /applications/{id}
    GET /oauth2PermissionGrants?$filter=clientId eq '…'
    GET /roleManagement/directory/roleAssignments?$filter=principalId eq '…'
    https://learn.microsoft.com/graph/api/serviceprincipal-get

Read only. What a list of the user lacks may still be in the directory, and what Graph does not know is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from respond.clients.lanes import within
from respond.errors import Forbidden, RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Foothold, FootholdKind
from respond.models.holdings import APPLICATIONS, CONSENTS, DEVICES, ROLES, Added, Grant
from respond.step import clients, limit_of, naming, read_action

T = TypeVar("T")
_MOST = 40
"""Ids of one kind that are asked for: an attacker may write any number of them into the log."""


@read_action("Directory.Read.All")
async def find_added(
    case: Case, *, account: Account, changes: Sequence[Foothold], known: Sequence[str] = (), after: float = 0.0
) -> Added:
    """What the logs name by its id, as it is now; what cannot be read is a gap.

    Args:
        changes: that the logs tie to the sign-ins.
        known: ids of devices that were listed already, in lower case.
        after: seconds to wait first: lists and replicas come late.
    """
    await asyncio.sleep(after)
    return await _Look(case, account).all(changes, set(known))


class _Look:
    def __init__(self, case: Case, account: Account) -> None:
        self._graph, self._user = clients(case).graph.added, account.id.lower()
        self._limit = limit_of("find_added").total_seconds()
        self._gaps: list[Gap] = []

    async def all(self, changes: Sequence[Foothold], known: set[str]) -> Added:
        devices = self._ids(changes, FootholdKind.DEVICE, DEVICES, but=known)
        let_in = self._ids(changes, FootholdKind.CONSENT, CONSENTS)
        made = self._ids(changes, FootholdKind.APPLICATION, APPLICATIONS)
        roles = self._ids(changes, FootholdKind.ROLE, ROLES)
        wanted = tuple(dict.fromkeys((*let_in, *made)))
        found_devices, found_apps, held = await asyncio.gather(
            self._each(devices, self._graph.device, DEVICES),
            self._each(wanted, self._graph.application, APPLICATIONS if made else CONSENTS),
            self._each(roles, self._graph.assignments, ROLES),
        )
        apps = {app.ids: app for app in found_apps.values() if app}
        asked = [app.principal for app in apps.values() if app.principal and set(app.ids) & set(let_in)]
        given = await self._each(asked, self._graph.grants, CONSENTS)
        mine = {one: [grant for grant in some or () if self._counts(grant)] for one, some in given.items()}
        missing = (*found_devices.items(), *found_apps.items())
        return Added(
            devices=tuple(one for one in found_devices.values() if one),
            applications=tuple(apps.values()),
            assignments=tuple(one for some in held.values() for one in some or ()),
            grants=tuple(grant for some in mine.values() for grant in some),
            gone=tuple(dict.fromkeys(number for number, thing in missing if thing is None)),
            ungranted=tuple(one.lower() for one, some in mine.items() if not some),
            gaps=tuple(dict.fromkeys(self._gaps)),
        )

    def _counts(self, grant: Grant) -> bool:
        return grant.everyone or grant.principal.lower() == self._user

    def _ids(
        self, changes: Sequence[Foothold], kind: FootholdKind, source: str, but: Collection[str] = ()
    ) -> tuple[str, ...]:
        named = (one for change in changes if change.kind is kind for one in change.objects)
        found = [one for one in dict.fromkeys(named) if one not in but]
        if len(found) > _MOST:
            told = f"the logs name {len(found)} of them, and only the first {_MOST} were asked for"
            self._gaps.append(Gap(source=source, reason=told))
        return tuple(found[:_MOST])

    async def _each(self, ids: Sequence[str], question: Callable[[str], Awaitable[T]], source: str) -> dict[str, T]:
        """The answer for each id; none for one that could not be asked for."""
        answers = await asyncio.gather(*(self._one(number, question, source) for number in ids))
        return dict(pair for some in answers for pair in some)

    async def _one(
        self, number: str, question: Callable[[str], Awaitable[T]], source: str
    ) -> tuple[tuple[str, T], ...]:
        try:
            async with within(self._limit):
                return ((number, await question(number)),)
        except (RespondError, TimeoutError) as error:
            told = naming(error, ("Directory.Read.All",)) if isinstance(error, Forbidden) else error
            self._gaps.append(
                Gap(source=source, reason=str(told) or f"no answer within {self._limit:.0f} s", passes=passes(error))
            )
            return ()
