"""What a score may still become while parts of the evidence are missing. Pure.

Each finding stands on some parts of the evidence. One that stands on nothing missing is settled; of the others nothing
is known but the weight they would have. Parts that were asked in vain stay unknown for good.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """

    look: Look
    needs: frozenset[Part]
    most: Callable[[Policy], int]
    hard: bool = False

    def finding(self, view: View) -> Finding | None:
        """The answer, worked out once for each view."""
        if id(self) not in view.answers:
            view.answers[id(self)] = self.look(view)
        return view.answers[id(self)]

    def is_settled(self, missing: frozenset[Part]) -> bool:
        return not self.needs & missing


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
    settled = [(rule, rule.finding(view)) for rule in against if rule.is_settled(missing)]
    known = sum(finding.weight for _, finding in settled if finding)
    open_against = sum(rule.most(policy) for rule in against if rule.needs & pending)
    # What stands on an answer that came in part may be there or not; it is no floor, but it is in the score.
    shaky = sum(
        finding.weight
        for rule in against
        if not rule.is_settled(missing) and not rule.needs & pending and (finding := rule.finding(view))
    )
    if not view.redeemer_seen or any(finding for rule, finding in settled if rule.hard):
        return Bounds(known, known + open_against + shaky)
    certain = sum(finding.weight for rule in relief if rule.is_settled(missing) and (finding := rule.finding(view)))
    possible = sum(rule.most(policy) for rule in relief if not rule.is_settled(missing))
    may_turn_hard = any(rule.hard and not rule.is_settled(missing) for rule in against)
    return Bounds(known + certain + possible, known + open_against + shaky + (0 if may_turn_hard else certain))
