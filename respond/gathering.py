"""Evidence as it arrives: every question asked at once, each answer usable as soon as it is there.

The questions need the user and the window, not the hunt, so they are asked beside it. Who arrived when is recorded by
the engine, so a run that is finished after a crash decides at the same point.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from actions.count_users import count_users
from actions.find_address_use import find_address_use
from actions.find_devices import find_devices
from actions.find_earlier_cases import find_earlier_cases
from actions.find_footholds import find_footholds
from actions.find_lures import find_lures
from actions.find_token_use import find_token_use
from actions.find_usual_places import find_usual_places
from actions.hunt_device_code_signins import hunt_device_code_signins
from actions.know_standing import know_standing
from actions.match_lure_intel import match_lure_intel
from actions.match_threat_intel import match_threat_intel
from respond import durable
from respond.decision.cut import Collected, evidence_at
from respond.errors import RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import (
    UNREAD_STANDING,
    Account,
    EarlierCases,
    Evidence,
    Footholds,
    History,
    Lures,
    Part,
    SharedAddresses,
    Standing,
    ThreatIntel,
    TokenUses,
)
from respond.models.facts import facts_of
from respond.models.holdings import DEVICES, Devices
from respond.models.signin import SignIns
from respond.step import aside

T = TypeVar("T")

_HUNT, _DEVICES, _USERS = "hunt", "devices", "users"
_SOURCES = {_DEVICES: DEVICES, Part.STANDING: UNREAD_STANDING, Part.FOOTHOLDS: "AuditLogs, OfficeActivity"}
"""What a gap is named after that something is decided by."""


_UNREAD: Mapping[str, Callable[[tuple[Gap, ...]], Any]] = {
    Part.HISTORY: lambda gaps: History(unread=True, gaps=gaps),
    Part.INTEL: lambda gaps: ThreatIntel(gaps=gaps),
    Part.LURES: lambda gaps: Lures(gaps=gaps),
    Part.SHARED: lambda gaps: SharedAddresses(unread=True, gaps=gaps),
    Part.STANDING: lambda gaps: Standing(gaps=gaps),
    Part.FOOTHOLDS: lambda gaps: Footholds(unread=True, gaps=gaps),
    Part.USES: lambda gaps: TokenUses(gaps=gaps),
    Part.EARLIER: lambda gaps: EarlierCases(gaps=gaps),
    Part.LURE_INTEL: lambda gaps: ThreatIntel(gaps=gaps),
    _DEVICES: lambda gaps: Devices(gaps=gaps),
    _USERS: lambda _: None,
}
"""What stands for a part whose action broke: nothing is known of it, and that is said."""


def _unread(name: str, error: RespondError) -> Any:  # noqa: ANN401 - what the action of that name returns
    return _UNREAD[name]((Gap(source=_SOURCES.get(name, name), reason=error.message, passes=passes(error)),))


class Gathering:
    """The evidence on one user of one case.

    Attributes:
        signins: what the hunt found; empty until `signins_found` has returned.
        case: gets its id when the hunt has shown which one it is; what is known from before is asked for after that.
    """

    def __init__(self, case: Case, account: Account) -> None:
        self.signins = SignIns()
        self.case, self._account = case, account
        self._collected = Collected()
        self._evidence: Evidence | None = None
        self._devices = Devices()
        self._users: int | None = None
        people = (account,)
        # The workspace answers few questions at a time, in this order: what decides most cases comes first.
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._begin(_HUNT, hunt_device_code_signins(case, people=people))
        self._begin(Part.INTEL, match_threat_intel(case, people=people))
        self._begin(Part.HISTORY, find_usual_places(case, people=people))
        self._begin(Part.LURES, find_lures(case, people=people))
        self._begin(Part.SHARED, find_address_use(case, people=people))
        self._begin(Part.STANDING, know_standing(case, account=account))
        self._begin(Part.FOOTHOLDS, find_footholds(case, people=people))
        self._begin(Part.USES, find_token_use(case, people=people))
        # What containing needs, so that it need not wait for it then.
        self._begin(_DEVICES, find_devices(case, account=account))
        self._begin(_USERS, count_users(case))

    def _begin(self, name: str, question: Coroutine[Any, Any, Any]) -> None:
        self._tasks[name] = asyncio.create_task(question, name=name)

    async def signins_found(self) -> SignIns:
        """Wait for the hunt.

        Raises:
            RespondError: the hunt failed, and with it the run.
        """
        while _HUNT in self._tasks:
            await self._next()
        return self.signins

    async def more(self) -> bool:
        """Wait until another part has arrived; False when nothing is left to come."""
        self._follow_up()
        if not self._tasks:
            return False
        await self._next()
        self._follow_up()
        return True

    async def rest(self) -> Evidence:
        """Wait for everything."""
        while await self.more():
            pass
        return self.evidence

    async def devices(self) -> Devices:
        """Wait for the user's devices."""
        while _DEVICES in self._tasks:
            await self._next()
        return self._devices

    async def tenant_users(self) -> int | None:
        """Wait for how many users the tenant has; None when nobody knows."""
        while _USERS in self._tasks:
            await self._next()
        return self._users

    async def known(self, *parts: Part) -> Evidence:
        """Wait for these parts: what the rest of the evidence says may still be missing."""
        while any(part in self._tasks for part in parts):
            await self._next()
        return self.evidence

    async def stop(self) -> None:
        """Let go of what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def worked_out(self, work: Callable[[SignIns, Evidence], T]) -> T:
        """What a pure function makes of what is known so far."""
        return await aside(lambda: work(self.signins, self.evidence))

    @property
    def evidence(self) -> Evidence:
        """What is known so far."""
        if self._evidence is None:
            window = self.case.window
            self._evidence = evidence_at(self.signins, self._collected, self.case.policy, window.start, window.end)
        return self._evidence

    @property
    def lures(self) -> Lures:
        return self._collected.lures or Lures()

    async def _next(self) -> None:
        arrived = await durable.first_of(list(self._tasks.values()))
        for name in [name for name, task in self._tasks.items() if task in arrived]:
            try:
                value = await self._tasks.pop(name)
            except RespondError as error:
                if name == _HUNT:
                    raise
                value = _unread(name, error)
            self._take(name, value)

    def _take(self, name: str, value: Any) -> None:  # noqa: ANN401 - what the action of that name returns
        self._evidence = None
        mine = value.get(self._account.id.lower()) if isinstance(value, dict) else value
        if name == _HUNT:
            self.signins = mine or SignIns()
        elif name == _DEVICES:
            self._devices = value
        elif name == _USERS:
            self._users = value
        else:
            self._collected = self._collected.model_copy(update={Part(name).name.lower(): mine})

    def _follow_up(self) -> None:
        """Questions that stand on answers: what is known about the lures, and about everything, from before."""
        if self._collected.lures is None or _HUNT in self._tasks:
            return
        if self._collected.lure_intel is None and Part.LURE_INTEL not in self._tasks:
            if self.lures.links:
                self._begin(Part.LURE_INTEL, match_lure_intel(self.case, lures=(self.lures,)))
            else:
                self._take(Part.LURE_INTEL, ThreatIntel())
        if self.case.id and self._collected.earlier is None and Part.EARLIER not in self._tasks:
            facts = facts_of(self.signins, self.lures, self.case.policy)
            self._begin(Part.EARLIER, find_earlier_cases(self.case, facts=facts))
