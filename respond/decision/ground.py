"""What the writes of one case stand on, and who may say yes to each. Pure.

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
from respond.models.evidence import UNREAD_STANDING, Account, Evidence, Foothold, FootholdKind, Standing
from respond.models.ladder import May, Rung, Rungs, Step, Word, stricter
from respond.models.policy import Policy
from respond.models.report import Verdict, VerdictKind
from respond.models.signin import SignIns
from respond.response_mode import ResponseMode

WHOLE_SECOND = timedelta(seconds=1)
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

    @cached_property
    def since(self) -> datetime:
        """The first row of the approval's correlation: what was added before it is not the attacker's doing."""
        return min(flow.began for flow in self.signins.flows) - WHOLE_SECOND

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

    def is_elsewhere(self, change: Foothold) -> bool:
        """Whether it was made in the account or the mailbox of somebody else, where nothing of the user's is meant."""
        upns = {name.lower() for name in self.account.upns}
        mine = {self.account.id.lower(), *upns, *(name.partition("@")[0] for name in upns)}
        return bool(change.whose) and not mine & set(change.whose)

    def changes(self, kind: FootholdKind) -> Iterator[Foothold]:
        """What the logs say was changed since the approval, or tie to it."""
        changes = (one for one in self.evidence.footholds.changes if one.kind is kind)
        return (one for one in changes if one.at >= self.since or self.is_the_attackers(one))

    def is_tied(self, change: Foothold) -> bool:
        """Whether it has to be accounted for: all but what plainly is the user's, done where no attacker was seen."""
        exposed = any(view.exposed_at.maybe(change.ip) for view in self.views)
        return exposed or not self.is_the_users(change) or self.is_the_attackers(change)


def ground_of(policy: Policy, account: Account, verdict: Verdict, signins: SignIns, evidence: Evidence) -> Ground:
    """What a verdict's writes stand on, and whether somebody survived an earlier one.

    Args:
        signins: all of the user's.
    """
    ground = Ground(policy, account, verdict, verdict.guilty(signins), evidence)
    return replace(ground, survivors=survivors(ground.views, account.sessions_valid_from))


ASKS_FOR_ALL = 'response.mode is "ask": every containment action needs an approval'
"""Why an action waits that the response plan would carry out."""


def word_on(ground: Ground, rung: Rung, *caps: tuple[May, str]) -> Word:
    """Who may say yes: the strictest of what the policy says on the verdict, the kind of account and the account.

    Args:
        caps: further limits of this very write, each with its reason.
    """
    ladder, account = ground.policy.ladder, ground.account
    kind = getattr(ladder.kinds, account.kind.name.lower())
    reasons: list[tuple[May, str]] = [
        (ground.rungs.of(rung), f"not certain enough for {rung.value}: a person decides, with the ticket")
        if ground.verdict.kind is not VerdictKind.MALICIOUS
        else (ground.rungs.of(rung), f"the policy has {rung.value} ask a person"),
        (kind, f"{_article(account.kind.value)} account of the policy: nothing happens to it without a person's word"),
        _protection(ground),
        *caps,
        (_most(ground.policy.response_mode), ASKS_FOR_ALL),
    ]
    if rung is Rung.DISABLE_ACCOUNT and ground.survivors and ground.verdict.is_malicious:
        reasons[0] = (ladder.survived.disable_account, "the policy has disabling a survivor's account ask a person")
    may = stricter(*(answer for answer, _ in reasons))
    why = "" if may is May.AUTO else next(why for answer, why in reasons if answer is may)
    return Word(may=may, why=why)


def _most(mode: ResponseMode) -> May:
    """The most that a mode lets the response plan do. Observe mode sends nothing, so it shows the plan unchanged."""
    return May.ASK if mode is ResponseMode.ASK else May.AUTO


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


def attributed(ground: Ground, about: Iterable[Foothold], what: str) -> tuple[May, str]:
    """The limit on a write about something that cannot be brought back as it was: is it the attacker's for certain?"""
    if any(map(ground.is_the_attackers, about)):
        return May.AUTO, ""
    return May.ASK, f"nothing shows that {what} was added from where the token is held: a person decides"


def call(ground: Ground, step: Step, *caps: tuple[May, str]) -> tuple[Called, ...]:
    """The write, and the word on it; nothing where the response plan rules it out."""
    word = word_on(ground, step.rung, *caps)
    certain = step.model_copy(update={"certain": ground.verdict.is_malicious})
    return () if word.may is May.NEVER else (Called(certain, word),)
