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
from respond.models.base import Gap, Utc
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.holdings import Devices
from respond.models.ladder import May, Rung
from respond.models.outcomes import outcome_of
from respond.models.report import ActionStatus, Change, Outcome, Verdict


class Containing:
    """What is done about one case.

    Attributes:
        changes: what became of each write so far.
        gaps: what could not be looked for.
    """

    def __init__(self, case: Case, account: Account) -> None:
        self.case, self._account = case, account
        self.changes: list[Change] = []
        self.gaps: list[Gap] = []
        self._devices: set[str] = set()

    def outcome(self, verdict: Verdict) -> Outcome:
        """What it has come to so far."""
        return outcome_of(self.case.mode, verdict, self.changes, self.gaps)

    async def end_sessions(self, ground: Ground, devices: Devices) -> None:
        """Devices that were registered since the approval, then every session."""
        if ground.verdict.last_token is None or ground.verdict.is_benign:
            return
        after = await self._disable(ground, devices, ground.verdict.last_token)
        revoked = await self._climb(session_steps(ground, after=after))
        if not any(change.status is ActionStatus.DONE for change in revoked):
            return
        if ground.rungs.of(Rung.DISABLE_DEVICE) is May.NEVER:
            return
        again = await find_devices(self.case, account=self._account)
        newest = await self._disable(ground, again, after)
        if newest > after:
            await self._climb(session_steps(ground, after=newest))

    async def clear(self, ground: Ground) -> None:
        """What was added to stay, then what Identity Protection is told, then the last rung."""
        if ground.verdict.last_token is None or ground.verdict.is_benign:
            return
        access = await find_access(self.case, account=self._account)
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
        done = [await climb(self.case, self._account, one.step, one.word) for one in called]
        self.changes += done
        return done
