"""Cases of the past as a policy would have answered them, counted and compared. Pure, but for adding up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from respond.decision.cut import Collected, evidence_at
from respond.decision.episodes import episodes
from respond.decision.sentences import reason
from respond.decision.verdict import decide
from respond.defang import defang
from respond.models.backtest import Answer, Backtest, Difference, Replayed, Tally
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.incidents import Classification, Incidents
from respond.models.policy import Policy
from respond.models.report import Person, Span, Verdict, VerdictKind
from respond.models.signin import SignIns

_NO_INCIDENT = "no incident"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Replay:
    """What has been replayed so far.

    Attributes:
        other: the second policy, or None.
    """

    case: Case
    policy_name: str
    other: Policy | None = None
    other_name: str = ""
    log_rows: int = 0
    users: int = 0
    users_done: int = 0
    complete: bool = False
    incidents: Incidents = field(default_factory=Incidents)
    _cases: list[Replayed] = field(default_factory=list)
    _differences: list[Difference] = field(default_factory=list)
    _gaps: dict[str, Gap] = field(default_factory=dict)
    _oldest: datetime = field(default_factory=lambda: _NEVER)

    def add(self, who: Account, signins: SignIns, collected: Collected) -> None:
        """Replay the cases of one user."""
        self.users_done += 1
        visits = collected.history.visits if collected.history else ()
        self._oldest = min([self._oldest, *(visit.first for visit in visits)])
        for gap in signins.gaps:
            self._gaps.setdefault(gap.source, gap)
        for episode in episodes(signins, self.case.policy.usual.episode):
            verdict = self._decide(self.case.policy, episode, collected)
            for gap in verdict.gaps:
                self._gaps.setdefault(gap.source, gap)
            replayed = self._replayed(who, episode, verdict)
            if any(flow.is_marked for flow in episode.completed) or not verdict.is_benign:
                self._cases.append(replayed)
            if self.other:
                self._compare(replayed, self._decide(self.other, episode, collected))

    def _decide(self, policy: Policy, episode: SignIns, collected: Collected) -> Verdict:
        start = max(episode.rows[0].at, self.case.window.start)
        evidence = evidence_at(episode, collected, policy, start, self.case.window.end)
        return decide(policy, episode, evidence)

    def _replayed(self, who: Account, episode: SignIns, verdict: Verdict) -> Replayed:
        holder = next((leg for leg in reversed(verdict.legs)), None)
        flow = (episode.completed or episode.flows)[0]
        return Replayed(
            user=Person(id=who.id, upn=who.upn, display_name=who.display_name),
            at=flow.started,
            app=holder.app if holder else flow.rows[0].app_name,
            network=f"AS{holder.asn}" if holder and holder.asn else "unknown",
            ip=holder.ip if holder else "",
            country=holder.country if holder else "",
            sign_ins=len(episode.completed),
            verdict=verdict.kind,
            score=verdict.score,
            answer=Answer.to(verdict.kind),
            reason=_reason(verdict),
            analyst=self._analyst(who, episode),
        )

    def _compare(self, case: Replayed, verdict: Verdict) -> None:
        answer = Answer.to(verdict.kind)
        if answer is not case.answer:
            self._differences.append(
                Difference(
                    case=case,
                    other_verdict=verdict.kind,
                    other_score=verdict.score,
                    other_answer=answer,
                    other_reason=_reason(verdict),
                )
            )

    def _analyst(self, who: Account, episode: SignIns) -> str:
        """The worst classification of an incident on this user around this time."""
        names = {who.id.lower(), *(name.lower() for name in who.upns)}
        near = self.case.policy.usual.episode
        moments = [row.at for row in episode.rows]
        first, last = min(moments) - near, max(moments) + near
        found = {
            one.classification
            for one in self.incidents.found
            if one.accounts & names and one.first <= last and one.last >= first
        }
        return next((kind.value for kind in Classification if kind in found), "")

    def result(self) -> Backtest:
        """The figures so far."""
        cases = sorted(self._cases, key=lambda case: (-case.score, case.at, case.user.upn))
        return Backtest(
            tenant=self.case.tenant,
            window=Span(start=self.case.window.start, end=self.case.window.end),
            policy=self.policy_name,
            other_policy=self.other_name,
            complete=self.complete,
            log_rows=self.log_rows,
            sign_ins=sum(case.sign_ins for case in cases),
            users=self.users,
            users_done=self.users_done,
            answers=_tally(cases),
            by_app=_by((case.app, case) for case in cases),
            by_network=_by((case.network, case) for case in cases),
            by_analyst=_by((case.analyst or _NO_INCIDENT, case) for case in cases),
            cases=tuple(cases),
            differences=tuple(self._differences) if self.other else None,
            gaps=tuple(sorted([*self._gaps.values(), *self.incidents.gaps, *self._thin()], key=lambda gap: gap.source)),
        )

    def _thin(self) -> Iterable[Gap]:
        """A history that begins within the time it should cover makes early cases look newer than they were."""
        wanted = self.case.history_start + timedelta(days=1)
        if self._cases and self._oldest > wanted:
            since = "for no day" if self._oldest == _NEVER else f"since {self._oldest:%d %b %Y} only"
            yield Gap(
                source="SigninLogs (history)",
                reason=f"sign-ins are on record {since}: the earliest cases are judged "
                f"by less than {self.case.policy.usual.history.days} days of history",
            )


def _reason(verdict: Verdict) -> str:
    kind = VerdictKind.NO_ACTIVITY if verdict.kind is VerdictKind.NO_ACTIVITY else verdict.kind
    return defang(reason(kind, verdict.findings))


def _tally(cases: Iterable[Replayed]) -> Tally:
    tally = Tally()
    for case in cases:
        tally = tally.plus(case.answer)
    return tally


def _by(pairs: Iterable[tuple[str, Replayed]]) -> dict[str, Tally]:
    """A tally for each name, the one with most cases first."""
    found: dict[str, list[Replayed]] = {}
    for name, case in pairs:
        found.setdefault(name, []).append(case)
    tallies = {name: _tally(cases) for name, cases in found.items()}
    return dict(sorted(tallies.items(), key=lambda item: (-item[1].contained, -item[1].asked, -item[1].total, item[0])))
