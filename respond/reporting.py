"""The report of a run, put together from what its actions brought back. Pure but for the recorded times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from respond.containing import Containing
from respond.decision.unread import weighed
from respond.defang import defang
from respond.models.case import Case
from respond.models.evidence import Account, Evidence
from respond.models.persistence import Accounted
from respond.models.report import ActionStatus, Outcome, Person, Report, Span, Timings, Verdict
from respond.models.signin import SignIns
from respond.models.timeline import timeline
from respond.step import timing

_EVIDENCE = (
    "find_lures",
    "find_usual_places",
    "find_address_use",
    "find_token_use",
    "find_footholds",
    "find_earlier_cases",
    "match_threat_intel",
    "match_lure_intel",
    "know_standing",
)

_CONTAINED = (Outcome.CONTAINED_VERIFIED, Outcome.CONTAINED_UNVERIFIED)


def report_on(
    case: Case,
    account: Account,
    signins: SignIns,
    evidence: Evidence,
    verdict: Verdict,
    containing: Containing,
    tasks: Sequence[str],
) -> Report:
    """Everything a reader needs, attacker's text made safe. The ticket is added when the run closes."""
    outcome, changes = containing.outcome(verdict), containing.changes
    still_open = any(one.is_open for one in containing.account)
    return Report(
        case=case.id,
        mode=case.mode,
        response_mode=case.policy.response_mode,
        tenant=case.tenant,
        user=Person(id=account.id, upn=account.upn, display_name=account.display_name),
        window=Span(start=case.window.start, end=case.window.end),
        verdict=verdict.kind,
        score=verdict.score,
        headline=defang(verdict.headline),
        findings=tuple(f.model_copy(update={"summary": defang(f.summary)}) for f in verdict.findings),
        gaps=tuple(dict.fromkeys(weighed(gap, case.policy) for gap in (*verdict.gaps, *containing.gaps))),
        actions=tuple(changes),
        outcome=outcome,
        persistence=tuple(_safe(one) for one in containing.account),
        logs_read=containing.logs_read,
        tasks=tuple(map(defang, tasks)),
        timeline=timeline(signins, evidence),
        legs=verdict.legs,
        timings_ms=_timings(case, outcome),
        repeat=bool(changes) and all(change.status is ActionStatus.UNNEEDED for change in changes) and not still_open,
        run=case.run,
    )


def _safe(one: Accounted) -> Accounted:
    return one.model_copy(update={name: defang(getattr(one, name)) for name in ("what", "name", "says")})


def _timings(case: Case, outcome: Outcome) -> Timings:
    def after(*names: str) -> int | None:
        ends = [entry.ended for name in names if (entry := timing(name))]
        return _milliseconds(case, max(ends)) if ends else None

    evidence = after(*_EVIDENCE)
    acted = timing("record_decision")
    return Timings(
        hunt=after("hunt_device_code_signins"),
        # Acting is what a verdict is for: where something was done, it was certain by then, be it before all evidence.
        decided=_milliseconds(case, acted.started) if acted else evidence or after("open_case"),
        evidence=evidence,
        contained=after("revoke_sessions") if outcome in _CONTAINED else None,
    )


def _milliseconds(case: Case, moment: datetime) -> int:
    return round((moment - case.started).total_seconds() * 1000)
