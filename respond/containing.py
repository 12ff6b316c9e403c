"""The writes of one case, in their order: devices, sessions, devices again; then what was added to stay.

A device comes before the revocation, which it would outlive. Between our look and our revocation an attacker may
register another one, so devices are looked at once more afterwards, and what appeared is disabled and revoked for.

At the end stands the account: what has become of every change that the logs tie to the attacker. What a list lacks is
looked for again after a pause, by its id where the log names one; lists come late.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions.find_access import find_access
from actions.find_accounted import find_accounted
from actions.find_added import find_added
from actions.find_devices import find_devices
from respond.climbing import climb
from respond.decision.accounting import account_of, unlisted
from respond.decision.items import Held
from respond.decision.ladder import (
    Called,
    Ground,
    access_steps,
    deletion,
    device_steps,
    identity_steps,
    session_steps,
)
from respond.decision.persistence import named
from respond.decision.proof import with_second_proof
from respond.errors import RespondError, passes
from respond.models.base import Gap, Utc
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.holdings import (
    APPLICATIONS,
    CONSENTS,
    DEVICES,
    METHODS,
    ROLES,
    RULES,
    Access,
    Added,
    Device,
    Devices,
)
from respond.models.ladder import May, Rung
from respond.models.outcomes import outcome_of
from respond.models.persistence import Accounted
from respond.models.report import ActionStatus, Change, Outcome, Verdict
from respond.step import last_timing

_PAUSE = 2.0
"""Seconds before what a list lacks is looked for again."""


class Containing:
    """What is done about one case.

    Attributes:
        changes: what became of each write so far.
        gaps: what could not be looked for.
        verdict: that the writes stand on; None before the first.
        broken: the run cannot come to its end, so nothing is proven.
        account: what has become of everything that the logs tie to the attacker; empty until `clear`.
        logs_read: the logs of what was added were read to the end.
    """

    def __init__(self, case: Case, account: Account) -> None:
        self.case, self._account = case, account
        self.changes: list[Change] = []
        self.gaps: list[Gap] = []
        self.verdict: Verdict | None = None
        self.broken = False
        self.account: tuple[Accounted, ...] = ()
        self.logs_read = True
        self._seen: dict[str, Device] = {}
        self._devices: set[str] = set()

    def outcome(self, verdict: Verdict) -> Outcome:
        """What it has come to so far."""
        outcome = outcome_of(self.case.mode, verdict, self.changes, self.gaps, self.account, logs_read=self.logs_read)
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
        await self._revoke_for(ground, again, after)

    async def clear(self, ground: Ground) -> None:
        """What was added to stay, then what Identity Protection is told, then the last rung; then the account."""
        if ground.verdict.last_token is None or ground.verdict.is_benign:
            return
        self.logs_read = not ground.evidence.footholds.unread
        earlier = await find_accounted(self.case) if ground.evidence.footholds.changes else ()
        held, gaps = await self._look(ground)
        if unlisted(ground, held, earlier):
            held, gaps = await self._look(ground, after=_PAUSE)
        self.gaps += gaps
        await self._revoke_for(ground, Devices(devices=held.devices), ground.verdict.last_token)
        await self._climb_access(access_steps(ground, held.access, held.added))
        await self._climb(identity_steps(ground))
        self.account = account_of(ground, held, self.changes, earlier)
        self.changes = [with_second_proof(ground, change) for change in self.changes]

    async def _look(self, ground: Ground, *, after: float = 0.0) -> tuple[Held, list[Gap]]:
        """What the user has now, and what became of the objects that the logs name."""
        access = await self._access(after)
        gaps = [*access.gaps]
        if after:
            listed = await self._devices_again()
            self._note(listed)
            gaps += listed.gaps
        added = await self._added(ground)
        self._note(Devices(devices=added.devices))
        gaps += added.gaps
        return Held(access=access, added=added, devices=tuple(self._seen.values())), gaps

    def _note(self, devices: Devices) -> None:
        self._seen |= {one.id: one for one in devices.devices}

    async def _revoke_for(self, ground: Ground, devices: Devices, after: Utc) -> None:
        """Disable what has appeared, and revoke what it got in the meantime: it outlived the first revocation."""
        before = len(self.changes)
        newest = await self._disable(ground, devices, after)
        disabled = last_timing(Rung.DISABLE_DEVICE)
        if disabled and any(one.status is ActionStatus.DONE for one in self.changes[before:]):
            newest = max(newest, disabled.ended)
        if newest > after:
            await self._climb(session_steps(ground, after=newest))

    async def _disable(self, ground: Ground, devices: Devices, after: Utc) -> Utc:
        """Disable what is new; the newest of the attacker's tokens and devices."""
        self.gaps += devices.gaps
        self._note(devices)
        called = [one for one in device_steps(ground, devices) if one.step.object not in self._devices]
        self._devices |= {one.step.object for one in called}
        for one in called:
            (change,) = await self._climb([one])
            if change.held == "service":
                await self._delete_instead(ground, change)
        new = {one.step.object for one in called if one.word.may is May.AUTO}
        return max([after, *(one.registered for one in devices.devices if one.id in new and one.registered)])

    async def _delete_instead(self, ground: Ground, refused: Change) -> None:
        """Ask for the deletion of a device that Entra does not let us disable."""
        device = next((one for one in self._seen.values() if refused.step and one.id == refused.step.object), None)
        if device and (called := deletion(ground, device, f"it cannot be disabled: {refused.summary}")):
            self.changes.remove(refused)
            await self._climb(called)

    async def _climb_access(self, called: Sequence[Called]) -> None:
        """Each once; a default method goes when the others are gone, so what is refused is tried again at the end."""
        done = await self._climb(called)
        refused = [one for one, change in zip(called, done, strict=True) if change.held == "service"]
        methods = [one for one in refused if one.step.rung is Rung.REMOVE_METHOD]
        removed = any(change.name == Rung.REMOVE_METHOD and change.verified for change in done)
        if methods and removed:
            again = {one.step.object for one in methods}
            kept = [
                change
                for change in self.changes
                if not (change in done and change.step and change.step.object in again)
            ]
            self.changes = kept
            await self._climb(methods)

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
            return Devices(gaps=(Gap(source=DEVICES, reason=error.message, passes=passes(error)),))

    async def _access(self, after: float) -> Access:
        try:
            return await find_access(self.case, account=self._account, after=after)
        except RespondError as error:
            return Access(
                gaps=tuple(
                    Gap(source=source, reason=error.message, passes=passes(error))
                    for source in (METHODS, CONSENTS, RULES)
                )
            )

    async def _added(self, ground: Ground) -> Added:
        changes = named(ground)
        if not changes:
            return Added()
        known = [one.lower() for device in self._seen.values() for one in (device.id, device.device_id)]
        try:
            return await find_added(self.case, account=self._account, changes=changes, known=known)
        except RespondError as error:
            sources = (DEVICES, APPLICATIONS, CONSENTS, ROLES)
            return Added(
                gaps=tuple(Gap(source=source, reason=error.message, passes=passes(error)) for source in sources)
            )
