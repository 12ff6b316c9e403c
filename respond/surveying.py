"""A look over many users, put together from their sign-ins and the evidence on each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from respond.decision.cut import Collected, evidence_at
from respond.decision.episodes import episodes
from respond.decision.lookalikes import blocked_attempt
from respond.decision.sentences import reason
from respond.decision.verdict import Judged, judge_all
from respond.defang import defang
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Evidence
from respond.models.policy import Policy
from respond.models.report import Person, Span, VerdictKind
from respond.models.signin import Flow, SignIns
from respond.models.survey import Survey, SurveyedSignIn, counts_of

_RANK = (VerdictKind.MALICIOUS, VerdictKind.SUSPICIOUS, VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY)


def judged_episodes(
    case: Case, policy: Policy, signins: SignIns, collected: Collected
) -> Iterator[tuple[SignIns, Evidence, tuple[Judged, ...]]]:
    """The sign-ins of one user as they would have been judged day by day, each with what was known before it."""
    for episode in episodes(signins, case.policy.usual.episode):
        evidence = evidence_at(episode, collected, policy, max(episode.rows[0].at, case.window.start), case.window.end)
        yield episode, evidence, judge_all(policy, episode, evidence)


def surveyed(
    case: Case, who: Account, signins: SignIns, collected: Collected
) -> tuple[list[SurveyedSignIn], list[Gap]]:
    """Every sign-in of one user with its verdict, attempts without a token included; and what could not be known."""
    found: list[SurveyedSignIn] = []
    gaps: list[Gap] = []
    for episode, evidence, judged in judged_episodes(case, case.policy, signins, collected):
        found += [_row(who, one.flow, one) for one in judged if one.flow.is_marked or not one.is_benign]
        found += [_row(who, flow, None) for flow in episode.flows if flow.is_marked and not flow.completed]
        gaps += evidence.all_gaps
    return found, gaps


def _row(who: Account, flow: Flow, one: Judged | None) -> SurveyedSignIn:
    row = flow.holder_rows[0] if flow.completed else flow.rows[0]
    kind = one.kind if one else VerdictKind.NO_ACTIVITY
    blocked = None if one else blocked_attempt(who.upn or who.id, flow)
    told = one.findings if one else tuple(filter(None, (blocked,)))
    findings = tuple(f.model_copy(update={"summary": defang(f.summary)}) for f in told)
    return SurveyedSignIn(
        user=Person(id=who.id, upn=who.upn, display_name=who.display_name),
        at=flow.started,
        app=row.app_name,
        app_id=row.app_id,
        resource=row.resource_name,
        country=row.country,
        ip=row.ip,
        asn=row.asn,
        verdict=kind,
        score=one.score if one and kind is not VerdictKind.NO_ACTIVITY else 0,
        reason=findings[0].summary if blocked else reason(kind, findings),
        findings=findings,
        legs=flow.legs,
    )


def survey_of(
    case: Case, found: Iterable[SurveyedSignIn], gaps: Iterable[Gap], *, users: int, queries: int = 0
) -> Survey:
    """Worst first, then newest first."""
    rows = sorted(found, key=lambda row: (_RANK.index(row.verdict), -row.score, -row.at.timestamp(), row.user.upn))
    return Survey(
        tenant=case.tenant,
        window=Span(start=case.window.start, end=case.window.end),
        sign_ins=tuple(rows),
        counts=counts_of(rows),
        users=users,
        gaps=_merged(gaps),
        queries=queries,
    )


def _merged(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """One gap a source: of the late ones every user has another age, which is no use here."""
    by_source: dict[str, Gap] = {}
    for gap in gaps:
        by_source.setdefault(gap.source, gap)
    return tuple(sorted(by_source.values(), key=lambda gap: gap.source))
