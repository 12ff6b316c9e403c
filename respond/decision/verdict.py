"""From evidence and policy to a verdict. A pure function: the same input gives the same answer, always.

The score is the sum of the findings' weights, held between 0 and 100. Each completed device code sign-in is judged
alone; the worst one is the verdict on the user.
"""

from __future__ import annotations

from respond.decision.aftermath import footholds
from respond.decision.incriminating import INCRIMINATING, where
from respond.decision.relieving import RELIEVING
from respond.decision.view import View
from respond.models.evidence import Evidence
from respond.models.policy import Policy
from respond.models.report import Finding, Verdict, VerdictKind
from respond.models.signin import Flow, SignIns, last_token_at

HARD = frozenset({"threat-intel-address", "method-added", "mail-rule-added"})
"""Facts that no habit outvotes."""


def decide(policy: Policy, signins: SignIns, evidence: Evidence) -> Verdict:
    """Judge the sign-ins of one user."""
    gaps = tuple(dict.fromkeys((*signins.gaps, *evidence.all_gaps)))
    if not signins.completed:
        return Verdict(kind=VerdictKind.NO_ACTIVITY, score=0, headline=_quiet(signins), gaps=gaps)
    judged = [(judge(View(flow, evidence, policy)), flow) for flow in signins.completed]
    findings, worst = max(judged, key=lambda pair: (_score(pair[0]), pair[1].started))
    score = _score(findings)
    kind = _kind(policy, score)
    alike = tuple(flow for found, flow in judged if _kind(policy, _score(found)) is kind)
    return Verdict(
        kind=kind, score=score, headline=_headline(worst), findings=findings, gaps=gaps, last_token=last_token_at(alike)
    )


def judge(view: View) -> tuple[Finding, ...]:
    """Every finding on one sign-in, heaviest first."""
    against = [finding for look in INCRIMINATING if (finding := look(view))] + list(footholds(view))
    can_be_explained = view.redeemer_seen and not any(finding.id in HARD for finding in against)
    relief = [finding for look in RELIEVING if (finding := look(view))] if can_be_explained else []
    return tuple(sorted((*against, *relief), key=lambda finding: -finding.weight))


def _score(findings: tuple[Finding, ...]) -> int:
    return max(0, min(100, sum(finding.weight for finding in findings)))


def _kind(policy: Policy, score: int) -> VerdictKind:
    if score >= policy.thresholds.malicious:
        return VerdictKind.MALICIOUS
    return VerdictKind.SUSPICIOUS if score >= policy.thresholds.suspicious else VerdictKind.BENIGN


def _headline(flow: Flow) -> str:
    row = flow.holder_rows[0]
    verb = "token redeemed from" if flow.redemptions else "device code approved from"
    return f"{row.app_name or row.app_id} {verb} {where(row)}"


def _quiet(signins: SignIns) -> str:
    if signins.flows:
        return f"{len(signins.flows)} device code attempt(s), none of which issued a token"
    return "no device code sign-in"
