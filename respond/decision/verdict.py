"""From evidence and policy to a verdict. A pure function: the same input gives the same answer, always.

The score is the sum of the findings' weights, held between 0 and 100. Circumstances count up to a cap, so that one
place alone is no attack. Each completed device code sign-in is judged
alone; the worst one is the verdict on the user, and every other one that is not benign is named beside it.

Malicious means acting alone, so it has to hold whatever the missing parts of the evidence may say. That makes the
decision the same early and late: a part that arrives can only narrow what was possible before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from respond.decision.bounds import Bounds, bounds, within_cap
from respond.decision.questions import ASKED_OF, is_high_risk, open_question
from respond.decision.rules import AGAINST, CORROBORATING, RELIEVING
from respond.decision.view import View, sources
from respond.decision.words import where
from respond.models.evidence import Evidence, Part
from respond.models.policy import Policy
from respond.models.report import Finding, Verdict, VerdictKind
from respond.models.signin import Flow, SignIns, last_token_at

_PARTS = {Part.HISTORY: "the user's history", Part.SHARED: "who else uses the address"}
_APPROVING_TABLE, _REDEEMING_TABLE = "SigninLogs", "AADNonInteractiveUserSignInLogs"
_RANK = (VerdictKind.NO_ACTIVITY, VerdictKind.BENIGN, VerdictKind.SUSPICIOUS, VerdictKind.MALICIOUS)


@dataclass(frozen=True)
class Judged:
    """One sign-in and what was found on it.

    Attributes:
        is_settled: nothing that is still to come can change whether it is benign.
    """

    flow: Flow
    findings: tuple[Finding, ...]
    kind: VerdictKind
    is_settled: bool

    @property
    def score(self) -> int:
        return max(0, min(100, sum(finding.weight for finding in self.findings)))

    @property
    def is_benign(self) -> bool:
        return self.kind in (VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY)

    @property
    def rank(self) -> tuple[int, int]:
        return _RANK.index(self.kind), self.score


def decide(policy: Policy, signins: SignIns, evidence: Evidence) -> Verdict:
    """Judge the sign-ins of one user."""
    gaps = tuple(dict.fromkeys((*signins.gaps, *evidence.all_gaps)))
    judged = [one for one in judge_all(policy, signins, evidence) if one.kind is not VerdictKind.NO_ACTIVITY]
    if not judged:
        return Verdict(kind=VerdictKind.NO_ACTIVITY, score=0, headline=_quiet(signins), gaps=gaps)
    worst = max(judged, key=lambda one: (*one.rank, one.flow.started))
    guilty = [one for one in judged if not one.is_benign] or [worst]
    return Verdict(
        kind=worst.kind,
        score=worst.score,
        headline=headline(worst.flow),
        findings=(*worst.findings, *(_also(one) for one in guilty if one is not worst)),
        gaps=gaps,
        # Later tokens of the user's own are left alone; those of anything that is not explained are not.
        last_token=last_token_at(tuple(one.flow for one in guilty)),
        legs=worst.flow.legs,
        guilty_rows=tuple(row.id for one in judged if not one.is_benign for row in one.flow.rows),
    )


def certain(policy: Policy, signins: SignIns, evidence: Evidence) -> Verdict | None:
    """The verdict, once it is malicious and nothing that is still to come can change it or what it ends."""
    judged = judge_all(policy, signins, evidence)
    if not any(one.kind is VerdictKind.MALICIOUS for one in judged) or not all(one.is_settled for one in judged):
        return None
    return decide(policy, signins, evidence)


def judge_all(policy: Policy, signins: SignIns, evidence: Evidence) -> tuple[Judged, ...]:
    """Each completed sign-in on its own, in the order they began."""
    missing = {gap.source for gap in signins.gaps} & {_APPROVING_TABLE, _REDEEMING_TABLE}
    tried = tuple(row.at for flow in signins.flows if flow.is_marked and not flow.completed for row in flow.rows)
    views = (View(flow, evidence.before(flow.keys), policy, tried) for flow in signins.completed)
    return tuple(judge(view, half_blind=_APPROVING_TABLE in missing, blind=len(missing) > 1) for view in views)


def judge(view: View, *, half_blind: bool = False, blind: bool = False) -> Judged:
    """Every finding on one sign-in, heaviest first.

    Args:
        half_blind: the approving table is not connected.
        blind: neither is the redeeming one: all that is known is from Defender, which marks no device code.
    """
    against = within_cap(view.policy, [(rule, finding) for rule in AGAINST if (finding := rule.finding(view))])
    explained = view.redeemer_seen and not any(rule.hard for rule, _ in against)
    relief = [finding for rule in RELIEVING if (finding := rule.finding(view))] if explained else []
    found = _heaviest_first([*(finding for _, finding in against), *relief])
    between = bounds(view, AGAINST, RELIEVING)
    if not view.flow.is_marked:
        return _unmarked(view, found, between) if blind else _hinted(view, found, between)
    question = open_question(view, half_blind=half_blind)
    missing = view.policy.thresholds.suspicious - sum(finding.weight for finding in found)
    if question and missing > 0:
        doubt = Finding(
            id="cannot-be-cleared", weight=min(100, missing), summary=question, evidence=sources(view.holders[0])
        )
        found = _heaviest_first([*found, doubt])
    kind = _kind(view, found, between)
    if question and kind is VerdictKind.BENIGN:
        kind = VerdictKind.SUSPICIOUS  # every relief at once can take away more than one finding may weigh
    if contradiction := _contradiction(view, kind):
        kind, found = VerdictKind.SUSPICIOUS, _heaviest_first([*found, contradiction])
    elif kind is VerdictKind.SUSPICIOUS and sum(one.weight for one in found) >= view.policy.thresholds.malicious:
        found = _heaviest_first([*found, _held_back(view)])
    return Judged(view.flow, found, kind, is_settled=_is_settled(view, between, half_blind=half_blind))


def _settled_ids(view: View, missing: frozenset[Part]) -> frozenset[str]:
    """Findings that stand on nothing that is missing."""
    looks = (rule.finding(view) for rule in AGAINST if rule.is_settled(missing))
    return frozenset(finding.id for finding in looks if finding)


def _hinted(view: View, found: tuple[Finding, ...], between: Bounds) -> Judged:
    """A sign-in that only a confirmation of the app hints at: no device code, unless something else says so too."""
    corroborated = bool(_settled_ids(view, view.evidence.pending) & CORROBORATING)
    kind = _kind(view, found, between) if corroborated else VerdictKind.NO_ACTIVITY
    if kind is VerdictKind.BENIGN:
        kind = VerdictKind.NO_ACTIVITY
    if kind is VerdictKind.MALICIOUS and not _settled_ids(view, view.evidence.unread) & CORROBORATING:
        kind = (
            VerdictKind.SUSPICIOUS
        )  # what was asked in vain might take back the one thing that makes it a device code
    is_settled = not view.evidence.pending or kind is VerdictKind.MALICIOUS
    return Judged(view.flow, found, kind, is_settled=is_settled)


def _unmarked(view: View, found: tuple[Finding, ...], between: Bounds) -> Judged:
    """A confirmation of the app where no table could have marked a device code: whether it was one, nobody can say."""
    hinted = _hinted(view, found, between)
    if not hinted.is_benign:
        return hinted
    doubt = Finding(
        id="cannot-be-cleared",
        weight=max(0, min(100, view.policy.thresholds.suspicious - sum(finding.weight for finding in found))),
        summary="neither sign-in table can be read, and Defender does not say whether this was a device code, "
        "so a person has to look",
        evidence=sources(view.flow.successes[0]),
    )
    return replace(hinted, findings=_heaviest_first([*found, doubt]), kind=VerdictKind.SUSPICIOUS, is_settled=True)


def _kind(view: View, found: tuple[Finding, ...], between: Bounds) -> VerdictKind:
    thresholds = view.policy.thresholds
    if between.low >= thresholds.malicious:
        return VerdictKind.MALICIOUS
    total = sum(finding.weight for finding in found)
    return VerdictKind.SUSPICIOUS if total >= thresholds.suspicious else VerdictKind.BENIGN


def _is_settled(view: View, between: Bounds, *, half_blind: bool) -> bool:
    """Whether it is known for good that this sign-in is benign, or that it is not."""
    if not view.evidence.pending or half_blind or view.refreshes_unseen or not view.redeemer_seen:
        return True
    if between.low >= view.policy.thresholds.suspicious:
        return True
    may_be_unread = view.evidence.pending & ASKED_OF
    return not may_be_unread and between.high < view.policy.thresholds.suspicious and not is_high_risk(view)


def _contradiction(view: View, kind: VerdictKind) -> Finding | None:
    """An attack in a network that the tenant vouches for: one of the two is wrong, and a person has to say which."""
    if kind is not VerdictKind.MALICIOUS or not all(view.is_trusted(row) for row in view.holders):
        return None
    return Finding(
        id="contradiction",
        weight=0,
        summary=f"the score alone would contain, but the token went to {view.holders[0].ip}, in a network that the "
        "tenant trusts: a person decides",
        evidence=sources(view.holders[0]),
    )


def _held_back(view: View) -> Finding:
    parts = " and ".join(sorted(_PARTS.get(part, part.value) for part in view.evidence.unread))
    return Finding(
        id="held-back",
        weight=0,
        summary=f"the score alone would contain, but {parts} could not be read and might explain it: a person decides",
        evidence=sources(view.holders[0]),
    )


def _heaviest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: -finding.weight))


def _also(one: Judged) -> Finding:
    return Finding(
        id="another-sign-in",
        weight=0,
        summary=f"another device code sign-in is {one.kind} as well ({one.score}): {headline(one.flow)}",
        evidence=sources(*one.flow.holder_rows),
    )


def headline(flow: Flow) -> str:
    """What happened, in a line: the app, and where its token went."""
    row = flow.holder_rows[0]
    verb = "token redeemed from" if flow.redemptions else "device code approved from"
    return f"{row.app_name or row.app_id} {verb} {where(row)}"


def _quiet(signins: SignIns) -> str:
    tried = [flow for flow in signins.flows if flow.is_marked]
    if tried:
        return f"{len(tried)} device code attempt(s), none of which issued a token"
    return "no device code sign-in"
