"""What a score may still become while parts of the evidence are missing. Pure.

Each finding stands on some parts of the evidence. One that stands on nothing missing is settled; of the others nothing
is known but the weight they would have. Parts that were asked in vain stay unknown for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from respond.decision.view import View
from respond.models.evidence import Part
from respond.models.policy import Policy
from respond.models.report import Finding

Look = Callable[[View], Finding | None]


@dataclass(frozen=True)
class Rule:
    """One question to the evidence.

    Attributes:
        look: answers it with a finding, or with nothing.
        needs: the parts of the evidence that the answer stands on.
        most: the largest weight, positive or negative, that the answer can have.
        hard: no relief counts beside it.
        circumstance: says no more than where, when and with what a token was redeemed. All of them together weigh at
            most `caps.circumstances`: one place has many names, and none of them is an attack.
        voided_by: parts of the evidence that may take a relief away again.
    """

    look: Look
    needs: frozenset[Part]
    most: Callable[[Policy], int]
    hard: bool = False
    circumstance: bool = False
    voided_by: frozenset[Part] = frozenset()

    def finding(self, view: View) -> Finding | None:
        """The answer, worked out once for each view."""
        if id(self) not in view.answers:
            view.answers[id(self)] = self.look(view)
        return view.answers[id(self)]

    def is_settled(self, missing: frozenset[Part]) -> bool:
        return not self.needs & missing


def cap_of(policy: Policy) -> int:
    """What the circumstances weigh at most. Below the threshold of acting alone, whatever the policy says."""
    return min(policy.caps.circumstances, policy.thresholds.malicious - 1)


def capped(policy: Policy, weights: Iterable[tuple[Rule, int]]) -> int:
    """The sum of the weights, with the circumstances counted up to their cap."""
    kept = list(weights)
    circumstances = sum(weight for rule, weight in kept if rule.circumstance)
    return min(circumstances, cap_of(policy)) + sum(weight for rule, weight in kept if not rule.circumstance)


def within_cap(policy: Policy, found: Iterable[tuple[Rule, Finding]]) -> list[tuple[Rule, Finding]]:
    """The findings with the weights that count: circumstances beyond the cap stay named, with what they would add."""
    kept, left = [], cap_of(policy)
    for rule, finding in sorted(found, key=lambda one: -one[1].weight):
        told = _counted(finding, left, cap_of(policy)) if rule.circumstance else finding
        left -= told.weight if rule.circumstance else 0
        kept.append((rule, told))
    return kept


def _counted(finding: Finding, left: int, cap: int) -> Finding:
    """The finding with what is left of the cap."""
    if finding.weight <= left:
        return finding
    says = f"{finding.summary} (+{finding.weight}, but circumstances count up to {cap} in all)"
    return finding.model_copy(update={"weight": left, "summary": says})


def needs(*parts: Part) -> frozenset[Part]:
    """What a rule stands on."""
    return frozenset(parts)


@dataclass(frozen=True)
class Bounds:
    """The least and the most that a score may come to, before it is held between 0 and 100."""

    low: int
    high: int


def bounds(view: View, against: tuple[Rule, ...], relief: tuple[Rule, ...]) -> Bounds:
    """Between what and what the sum of the weights lies, whatever is still missing."""
    policy, pending, missing = view.policy, view.evidence.pending, view.evidence.unread
    settled = [(rule, found) for rule in against if rule.is_settled(missing) and (found := rule.finding(view))]
    known = [(rule, found.weight) for rule, found in settled]
    open_against = [(rule, rule.most(policy)) for rule in against if rule.needs & pending]
    # What stands on an answer that came in part may be there or not; it is no floor, but it is in the score.
    shaky = [
        (rule, found.weight)
        for rule in against
        if not rule.is_settled(missing) and not rule.needs & pending and (found := rule.finding(view))
    ]
    low, high = capped(policy, known), capped(policy, [*known, *open_against, *shaky])
    if not view.redeemer_seen or any(rule.hard for rule, _ in settled):
        return Bounds(low, high)
    certain = [(rule, found.weight) for rule in relief if rule.is_settled(missing) and (found := rule.finding(view))]
    possible = sum(rule.most(policy) for rule in relief if not rule.is_settled(missing))
    may_turn_hard = any(rule.hard and not rule.is_settled(missing) for rule in against)
    stays = 0 if may_turn_hard else sum(weight for rule, weight in certain if not rule.voided_by & missing)
    return Bounds(low + sum(weight for _, weight in certain) + possible, high + stays)
