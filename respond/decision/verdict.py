"""From evidence and policy to a verdict. A pure function: the same input gives the same answer, always.

The score is the sum of the findings' weights, held between 0 and 100. Each completed device code sign-in is judged
alone; the worst one is the verdict on the user, and every other one that is not benign is named beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from respond.decision.aftermath import footholds
from respond.decision.incriminating import INCRIMINATING, where
from respond.decision.relieving import RELIEVING
from respond.decision.view import View, sources
from respond.models.evidence import Evidence
from respond.models.policy import Policy
from respond.models.report import Finding, Verdict, VerdictKind
from respond.models.signin import Flow, Risk, SignIns, last_token_at

HARD = frozenset({"threat-intel-address", "method-added", "mail-rule-added"})
"""Facts that no habit outvotes."""

_APPROVING_TABLE = "SigninLogs"


@dataclass(frozen=True)
class Judged:
    """One sign-in and what was found on it."""

    flow: Flow
    findings: tuple[Finding, ...]
    policy: Policy
    unread_relief: int = 0

    @property
    def score(self) -> int:
        return max(0, min(100, self._sum))

    @property
    def kind(self) -> VerdictKind:
        """Malicious means acting alone, so it has to hold whatever an unread history may say."""
        if self._sum + self.unread_relief >= self.policy.thresholds.malicious:
            return VerdictKind.MALICIOUS
        return VerdictKind.SUSPICIOUS if self.score >= self.policy.thresholds.suspicious else VerdictKind.BENIGN

    @property
    def _sum(self) -> int:
        return sum(finding.weight for finding in self.findings)


def decide(policy: Policy, signins: SignIns, evidence: Evidence) -> Verdict:
    """Judge the sign-ins of one user."""
    gaps = tuple(dict.fromkeys((*signins.gaps, *evidence.all_gaps)))
    if not signins.completed:
        return Verdict(kind=VerdictKind.NO_ACTIVITY, score=0, headline=_quiet(signins), gaps=gaps)
    half_blind = any(gap.source == _APPROVING_TABLE for gap in signins.gaps)
    judged = [judge(View(flow, evidence, policy), half_blind=half_blind) for flow in signins.completed]
    worst = max(judged, key=lambda one: (one.score, one.flow.started))
    guilty = [one for one in judged if one.kind is not VerdictKind.BENIGN] or [worst]
    return Verdict(
        kind=worst.kind,
        score=worst.score,
        headline=_headline(worst.flow),
        findings=(*worst.findings, *(_also(one) for one in guilty if one is not worst)),
        gaps=gaps,
        # Later tokens of the user's own are left alone; those of anything that is not explained are not.
        last_token=last_token_at(tuple(one.flow for one in guilty)),
    )


def judge(view: View, *, half_blind: bool = False) -> Judged:
    """Every finding on one sign-in, heaviest first.

    Args:
        half_blind: the approving table is not connected.
    """
    against = [finding for look in INCRIMINATING if (finding := look(view))] + list(footholds(view))
    can_be_explained = view.redeemer_seen and not any(finding.id in HARD for finding in against)
    reliefs = view.policy.reliefs
    unread = reliefs.habit + reliefs.usual_place if can_be_explained and _history_unread(view) else 0
    relief = [finding for look in RELIEVING if (finding := look(view))] if can_be_explained else []
    found = _heaviest_first([*against, *relief])
    judged = Judged(view.flow, found, view.policy, unread)
    open_question = _open_question(view, half_blind=half_blind)
    missing = view.policy.thresholds.suspicious - sum(finding.weight for finding in found)
    if open_question is None or missing <= 0:
        return judged
    doubt = Finding(
        id="cannot-be-cleared", weight=min(100, missing), summary=open_question, evidence=sources(view.holders[0])
    )
    return Judged(view.flow, _heaviest_first([*found, doubt]), view.policy, unread)


def _heaviest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: -finding.weight))


def _open_question(view: View, *, half_blind: bool) -> str | None:
    """Why a sign-in must not be called benign, whatever explains it: a person has to look."""
    if not view.redeemer_seen:
        return "nothing shows who redeemed the code, so a person has to look"
    if half_blind:
        return "the approvals cannot be read, so a person has to look"
    if _history_unread(view):
        return "the user's history cannot be read, so a person has to look"
    if any(row.risk is Risk.HIGH for row in view.flow.successes):
        return "a high risk asks for a person, whatever explains the sign-in"
    return None


def _history_unread(view: View) -> bool:
    return any("history" in gap.source for gap in view.evidence.usual.gaps)


def _also(one: Judged) -> Finding:
    return Finding(
        id="another-sign-in",
        weight=0,
        summary=f"another device code sign-in is {one.kind} as well ({one.score}): {_headline(one.flow)}",
        evidence=sources(*one.flow.holder_rows),
    )


def _headline(flow: Flow) -> str:
    row = flow.holder_rows[0]
    verb = "token redeemed from" if flow.redemptions else "device code approved from"
    return f"{row.app_name or row.app_id} {verb} {where(row)}"


def _quiet(signins: SignIns) -> str:
    if signins.flows:
        return f"{len(signins.flows)} device code attempt(s), none of which issued a token"
    return "no device code sign-in"
