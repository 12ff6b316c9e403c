"""From a verdict to the writes that it calls for, and who may say yes to each. Pure.

Only what was added since the approval is named. Whose doing it was decides how: what comes from where the token is held
is the attacker's; what the user added from a usual place is the user's, and is only asked about. Where no log says who
did it, devices are taken for the attacker's: disabling one can be undone, and an attacker's outlives everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from respond.decision.aftermath import is_the_holders
from respond.decision.survival import survivors
from respond.decision.view import View
from respond.models.evidence import UNREAD_STANDING, Account, Evidence, Foothold, FootholdKind, Part, Standing
from respond.models.holdings import Access, Devices
from respond.models.ladder import May, Rung, Rungs, Step, Word, stricter
from respond.models.policy import Policy
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import SignIns

_WHOLE_SECOND = timedelta(seconds=1)
_LONGEST_NAME = 80
_NOTHING = Rungs.model_validate(dict.fromkeys((rung.value for rung in Rung), May.NEVER))


@dataclass(frozen=True)
class Called:
    """A write that is called for, and the word on it."""

    step: Step
    word: Word


@dataclass(frozen=True)
class Ground:
    """What the writes of one case stand on.

    Attributes:
        signins: those that the verdict finds guilty.
        survivors: why we think that the attacker is still there; empty as long as we do not.
    """

    policy: Policy
    account: Account
    verdict: Verdict
    signins: SignIns
    evidence: Evidence
    survivors: tuple[str, ...] = ()

    @property
    def since(self) -> datetime:
        """The approval: what was added before it is not the attacker's doing."""
        return min(flow.started for flow in self.signins.flows) - _WHOLE_SECOND

    @property
    def rungs(self) -> Rungs:
        ladder = self.policy.ladder
        answers = {VerdictKind.MALICIOUS: ladder.malicious, VerdictKind.SUSPICIOUS: ladder.suspicious}
        return answers.get(self.verdict.kind, _NOTHING)

    @cached_property
    def views(self) -> tuple[View, ...]:
        return tuple(View(flow, self.evidence.before(flow.keys), self.policy) for flow in self.signins.flows)

    def is_the_attackers(self, change: Foothold) -> bool:
        """Whether it was made from where the token is held."""
        return any(is_the_holders(view, change) for view in self.views)

    def is_the_users(self, change: Foothold) -> bool:
        """Whether it was made from a place that is the user's own."""
        return bool(change.ip) and any(view.is_usual(change.ip) or view.is_common(change.ip) for view in self.views)

    def changes(self, kind: FootholdKind) -> Iterator[Foothold]:
        """What the logs say was added since the approval."""
        return (one for one in self.evidence.footholds.changes if one.kind is kind and one.at >= self.since)


def ground_of(policy: Policy, account: Account, verdict: Verdict, signins: SignIns, evidence: Evidence) -> Ground:
    """What a verdict's writes stand on, and whether somebody survived an earlier one.

    Args:
        signins: all of the user's.
    """
    ground = Ground(policy, account, verdict, verdict.guilty(signins), evidence)
    return replace(ground, survivors=survivors(ground.views, account.sessions_valid_from))


def needed_for(policy: Policy, verdict: Verdict, signins: SignIns, devices: Devices) -> Iterator[tuple[Part, ...]]:
    """Parts of the evidence that have to be there before the first write, beyond what the verdict stands on.

    Only where they matter: who is protected by group or role, and whose a device is that was registered since.
    """
    if policy.ladder.protected.needs_standing:
        yield (Part.STANDING,)
    since = min((flow.started for flow in verdict.guilty(signins).flows), default=None)
    if since and any(one.registered and one.registered >= since - _WHOLE_SECOND for one in devices.devices):
        yield Part.FOOTHOLDS, Part.HISTORY, Part.SHARED


def word_on(ground: Ground, rung: Rung, *caps: tuple[May, str]) -> Word:
    """Who may say yes: the strictest of what the policy says on the verdict, the kind of account and the account.

    Args:
        caps: further limits of this very write, each with its reason.
    """
    ladder, account = ground.policy.ladder, ground.account
    kind = getattr(ladder.kinds, account.kind.name.lower())
    reasons: list[tuple[May, str]] = [
        (ground.rungs.of(rung), f"not certain enough for {rung.value}: a person decides, with the ticket at hand")
        if ground.verdict.kind is not VerdictKind.MALICIOUS
        else (ground.rungs.of(rung), f"the policy has {rung.value} ask a person"),
        (kind, f"{_article(account.kind.value)} account of the policy: nothing happens to it without a person's word"),
        _protection(ground),
        *caps,
    ]
    if rung is Rung.DISABLE_ACCOUNT and ground.survivors and ground.verdict.is_malicious:
        reasons[0] = (ladder.survived.disable_account, "the policy has disabling a survivor's account ask a person")
    may = stricter(*(answer for answer, _ in reasons))
    why = "" if may is May.AUTO else next(why for answer, why in reasons if answer is may)
    return Word(may=may, why=why)


def _article(kind: str) -> str:
    return "an emergency" if kind == "break-glass" else f"a {kind}"


def _protection(ground: Ground) -> tuple[May, str]:
    protected, standing = ground.policy.ladder.protected, ground.evidence.standing
    if ground.account.id.lower() in {account.lower() for account in protected.accounts}:
        return May.ASK, "a protected account of the policy: nothing happens to it without a person's word"
    if protected.needs_standing and is_unread(standing):
        return May.ASK, "whether the account is protected cannot be found out, so a person decides"
    if set(standing.groups) & {group.lower() for group in protected.groups}:
        return May.ASK, "in a protected group of the policy: nothing happens to it without a person's word"
    if set(standing.role_templates) & {role.lower() for role in protected.roles}:
        return May.ASK, "holds a protected directory role: nothing happens to it without a person's word"
    return May.AUTO, ""


def is_unread(standing: Standing) -> bool:
    """Whether the directory did not say which groups and roles the user has."""
    return any(gap.source == UNREAD_STANDING for gap in standing.gaps)


def device_steps(ground: Ground, devices: Devices) -> tuple[Called, ...]:
    """Devices that were registered since the approval; they come before the revocation, which they outlive."""
    return tuple(
        called
        for device in devices.devices
        if device.registered and device.registered >= ground.since
        for called in _call(
            ground,
            Step(
                rung=Rung.DISABLE_DEVICE,
                object=device.id,
                label=device.name or device.device_id,
                why=f"registered at {device.registered:%Y-%m-%d %H:%M:%SZ}, after the approval",
            ),
            _users_own(ground, FootholdKind.DEVICE, {device.id.lower(), device.device_id.lower()}),
        )
    )


def session_steps(ground: Ground, *, after: datetime) -> tuple[Called, ...]:
    """The revocation.

    Args:
        after: issue time of the attacker's last token, or when the last device of theirs was registered.
    """
    account = ground.account
    why = f"the attacker's newest token is of {after:%Y-%m-%d %H:%M:%SZ}"
    step = Step(rung=Rung.REVOKE_SESSIONS, object=account.id, label=account.upn, why=why, after=after)
    return _call(ground, step)


def access_steps(ground: Ground, access: Access) -> tuple[Called, ...]:
    """Methods, consents and inbox rules that were added since the approval."""
    return (*_methods(ground, access), *_grants(ground, access), *_rules(ground, access))


def identity_steps(ground: Ground) -> tuple[Called, ...]:
    """What Identity Protection is told, and the last rung."""
    account = ground.account
    ids = tuple(dict.fromkeys(row.id for flow in ground.signins.flows for row in flow.successes if row.id))
    why = f"{ground.verdict.kind.value} {ground.verdict.score}: {ground.verdict.headline}"
    still = "; ".join(ground.survivors) or why
    steps = (
        Step(rung=Rung.CONFIRM_USER, object=account.id, label=account.upn, why=why),
        Step(rung=Rung.CONFIRM_SIGN_INS, object=account.id, label=account.upn, why=why, ids=ids),
        Step(rung=Rung.DISABLE_ACCOUNT, object=account.id, label=account.upn, why=still),
    )
    return tuple(called for step in steps for called in _call(ground, step))


def _methods(ground: Ground, access: Access) -> Iterator[Called]:
    known = list(ground.changes(FootholdKind.METHOD))
    for method in access.methods:
        if method.created is None or method.created < ground.since:
            continue
        near = [one for one in known if abs(one.at - method.created) <= ground.policy.correlation.registration_within]
        why = f"added at {method.created:%Y-%m-%d %H:%M:%SZ}, after the approval"
        step = Step(rung=Rung.REMOVE_METHOD, object=method.id, label=method.label, kind=method.type, why=why)
        yield from _call(ground, step, _attributed(ground, near, "the method"))


def _grants(ground: Ground, access: Access) -> Iterator[Called]:
    known = list(ground.changes(FootholdKind.CONSENT))
    for grant in access.grants:
        about = [one for one in known if grant.client.lower() in one.objects]
        if not about:
            continue
        why = f"{about[0].what} at {about[0].at:%Y-%m-%d %H:%M:%SZ}, after the approval: {grant.scope.strip()}"
        # The id decides; the name is what a person looks for, and the attacker's own choice.
        name = next((" ".join(one.name.split())[:_LONGEST_NAME] for one in about if one.name), "")
        label = f"{name} ({grant.client})" if name else grant.client
        step = Step(rung=Rung.REMOVE_GRANT, object=grant.id, label=label, why=why)
        yield from _call(ground, step, _attributed(ground, about, "the consent"))


def _rules(ground: Ground, access: Access) -> Iterator[Called]:
    known = list(ground.changes(FootholdKind.MAIL_RULE))
    for rule in access.rules:
        about = [one for one in known if one.name and one.name == rule.name]
        if not about:
            continue
        why = f"{about[0].what} at {about[0].at:%Y-%m-%d %H:%M:%SZ}, after the approval"
        step = Step(rung=Rung.DISABLE_RULE, object=rule.id, label=rule.name, why=why)
        yield from _call(ground, step, _attributed(ground, about, "the rule"))


def _users_own(ground: Ground, kind: FootholdKind, ids: set[str]) -> tuple[May, str]:
    about = [one for one in ground.changes(kind) if ids & set(one.objects)]
    own = about and not any(map(ground.is_the_attackers, about)) and all(map(ground.is_the_users, about))
    if not own:
        return May.AUTO, ""
    return May.ASK, f"added from {about[0].ip}, a usual place of the user: a person decides"


def _attributed(ground: Ground, about: Iterable[Foothold], what: str) -> tuple[May, str]:
    if any(map(ground.is_the_attackers, about)):
        return May.AUTO, ""
    return May.ASK, f"nothing shows that {what} was added from where the token is held: a person decides"


def _call(ground: Ground, step: Step, *caps: tuple[May, str]) -> tuple[Called, ...]:
    word = word_on(ground, step.rung, *caps)
    certain = step.model_copy(update={"certain": ground.verdict.is_malicious})
    return () if word.may is May.NEVER else (Called(certain, word),)
