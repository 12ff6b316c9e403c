"""The writes of one case, in their order: devices, sessions, devices again; then what was added to stay.

A device comes before the revocation, which it would outlive. Between our look and our revocation an attacker may
register another one, so devices are looked at once more afterwards, and what appeared is disabled and revoked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions.find_access import find_access
from actions.find_devices import find_devices
from respond.climbing import climb
from respond.decision.ladder import Called, Ground, access_steps, device_steps, identity_steps, session_steps
from respond.errors import RespondError
from respond.models.base import Gap, Utc
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.holdings import DEVICES, SOURCES, Access, Devices
from respond.models.ladder import May, Rung
from respond.models.outcomes import outcome_of
from respond.models.report import ActionStatus, Change, Outcome, Verdict


class Containing:
    """What is done about one case.

    Attributes:
        changes: what became of each write so far.
        gaps: what could not be looked for.
        verdict: that the writes stand on; None before the first.
        broken: the run cannot come to its end, so nothing is proven.
    """

    def __init__(self, case: Case, account: Account) -> None:
        self.case, self._account = case, account
        self.changes: list[Change] = []
        self.gaps: list[Gap] = []
        self.verdict: Verdict | None = None
        self.broken = False
        self._devices: set[str] = set()

    def outcome(self, verdict: Verdict) -> Outcome:
        """What it has come to so far."""
        outcome = outcome_of(self.case.mode, verdict, self.changes, self.gaps)
        unproven = self.broken and outcome is Outcome.CONTAINED_VERIFIED
        return Outcome.CONTAINED_UNVERIFIED if unproven else outcome

    async def end_sessions(self, ground: Ground, devices: Devices) -> None:
        """Devices that were registered since the approval, then every session."""
        self.verdict = ground.verdict
        if ground.verdict.last_token is None or ground.verdict.is_benign:
            return
        after = await self._disable(ground, devices, ground.verdict.last_token)
        revoked = await self._climb(session_steps(ground, after=after))
        if not any(change.status is ActionStatus.DONE for change in revoked):
            return
        if ground.rungs.of(Rung.DISABLE_DEVICE) is May.NEVER:
            return
        again = await self._devices_again()
        newest = await self._disable(ground, again, after)
        if newest > after:
            await self._climb(session_steps(ground, after=newest))

    async def clear(self, ground: Ground) -> None:
        """What was added to stay, then what Identity Protection is told, then the last rung."""
        if ground.verdict.last_token is None or ground.verdict.is_benign:
            return
        access = await self._access()
        self.gaps += access.gaps
        await self._climb(access_steps(ground, access))
        await self._climb(identity_steps(ground))

    async def _disable(self, ground: Ground, devices: Devices, after: Utc) -> Utc:
        """Disable what is new; the newest of the attacker's tokens and devices."""
        self.gaps += devices.gaps
        called = [one for one in device_steps(ground, devices) if one.step.object not in self._devices]
        self._devices |= {one.step.object for one in called}
        await self._climb(called)
        new = {one.step.object for one in called if one.word.may is May.AUTO}
        return max([after, *(one.registered for one in devices.devices if one.id in new and one.registered)])

    async def _climb(self, called: Sequence[Called]) -> list[Change]:
        done = []
        for one in called:
            done.append(await climb(self.case, self._account, one.step, one.word))
            self.changes.append(done[-1])  # at once: what was done is told, also when the next one breaks
        return done

    async def _devices_again(self) -> Devices:
        try:
            return await find_devices(self.case, account=self._account)
        except RespondError as error:
            return Devices(gaps=(Gap(source=DEVICES, reason=error.message),))

    async def _access(self) -> Access:
        try:
            return await find_access(self.case, account=self._account)
        except RespondError as error:
            return Access(
                gaps=tuple(Gap(source=source, reason=error.message) for source in sorted(SOURCES - {DEVICES}))
            )
