"""What was known when: the evidence on a set of sign-ins, cut off before the first of them. Pure.

A history that runs up to now holds the attacker's own sign-ins as well; days of an attacker's refreshes must not
become the user's habit. What others do is not the attacker's doing, and is read up to the window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from respond.decision.colleagues import batches, colleagues
from respond.decision.episodes import episodes
from respond.models.base import Gap, Model
from respond.models.evidence import (
    AddressDay,
    AddressUse,
    EarlierCases,
    Evidence,
    Footholds,
    History,
    Lures,
    Part,
    Place,
    SharedAddresses,
    Standing,
    Stretch,
    ThreatIntel,
    TokenUses,
    UsualPlaces,
    Visit,
)
from respond.models.policy import Policy
from respond.models.signin import SignIns

_DAY = timedelta(days=1)
_SAME_DAY = timedelta(hours=12)
_LATE_ACTIVITY = "MicrosoftGraphActivityLogs"
LATE_CHANGES = "AuditLogs and OfficeActivity"
_LATE_REDEMPTION = "AADNonInteractiveUserSignInLogs"


class Collected(Model):
    """What the actions brought back on one user, as far as it has arrived."""

    lures: Lures | None = None
    history: History | None = None
    shared: SharedAddresses | None = None
    intel: ThreatIntel | None = None
    lure_intel: ThreatIntel | None = None
    uses: TokenUses | None = None
    footholds: Footholds | None = None
    standing: Standing | None = None
    earlier: EarlierCases | None = None

    @property
    def pending(self) -> frozenset[Part]:
        return frozenset(part for part in Part if getattr(self, part.name.lower()) is None)


def evidence_at(signins: SignIns, collected: Collected, policy: Policy, start: datetime, now: datetime) -> Evidence:
    """The evidence on these sign-ins, which are judged together.

    Args:
        start: beginning of the window, for what others did before it.
        now: end of the window, for what may not have arrived yet.
    """
    return Evidence(
        lures=collected.lures or Lures(),
        usual=_usual(signins, collected, policy, start),
        stretches=tuple(_stretches(signins, collected, policy, start)),
        intel=collected.intel or ThreatIntel(),
        lure_intel=collected.lure_intel or ThreatIntel(),
        uses=collected.uses or TokenUses(),
        footholds=collected.footholds or Footholds(),
        standing=collected.standing or Standing(),
        earlier=collected.earlier or EarlierCases(),
        late=tuple(_late(signins, collected, policy, now)),
        incomplete=tuple(_incomplete(signins, policy, now)),
        pending=collected.pending,
    )


def _stretches(signins: SignIns, collected: Collected, policy: Policy, start: datetime) -> Iterable[Stretch]:
    """A session of weeks ago that is still refreshed must not cut off what was usual before today's sign-in."""
    apart = episodes(signins, policy.usual.episode)
    for one in apart if len(apart) > 1 else ():
        keys = frozenset(key for flow in one.flows for key in flow.keys)
        yield Stretch(keys=keys, usual=_usual(one, collected, policy, max(one.rows[0].at, start)))


def _usual(signins: SignIns, collected: Collected, policy: Policy, start: datetime) -> UsualPlaces:
    history, shared = collected.history or History(), collected.shared or SharedAddresses()
    rows = signins.rows
    before = min((row.at for row in rows), default=start)
    recent = min((row.at for row in rows if row.at >= start), default=before)
    sessions = {key.lower() for row in rows for key in (row.session_id, row.correlation_id) if key}
    past = [visit for visit in history.visits if before - policy.usual.history <= visit.first < before]
    own = _ids_of_habits(past, sessions, enough=policy.usual.habit_sessions)
    kept = [visit for visit in past if visit.session not in sessions or (visit.session in own and visit.codes)]
    tied = [visit for visit in past if visit.session in sessions]
    # A session from before the window is looked back on: other codes that were approved since, one by one, count too.
    kept += [
        visit
        for visit in history.visits
        if before <= visit.first < start and visit.codes - sessions and visit.session not in sessions
    ]
    me = rows[0].user_id.lower() if rows else ""
    return UsualPlaces(
        places=tuple(_places(kept, before, enough=policy.usual.habit_sessions)),
        tied=tuple(_places(tied, before, enough=policy.usual.habit_sessions)),
        tenant=tuple(_tenant(signins.addresses, shared, me, recent, policy)),
        days=policy.usual.history.days,
        hours=_hours(kept, before),
        history_unread=history.unread,
        tenant_unread=shared.unread,
        gaps=tuple(dict.fromkeys((*history.gaps, *shared.gaps))),
    )


def _ids_of_habits(past: Iterable[Visit], sessions: set[str], *, enough: int) -> frozenset[str]:
    """Sessions in question that hold a habit: a browser may keep one id for weeks and approve many codes under it.

    Each of those took the user's approval. A stolen token is refreshed for weeks as well, but stands on one code.
    """
    days: dict[str, set[str]] = defaultdict(set)
    for visit in past:
        if visit.session in sessions and visit.codes - sessions:
            days[visit.session].add(f"{visit.first:%Y-%m-%d}")
    return frozenset(session for session, found in days.items() if len(found) >= enough)


def _hours(visits: Iterable[Visit], before: datetime) -> tuple[int, ...]:
    counts = [0] * 24
    for visit in visits:
        for hour in {moment.hour for moment in (visit.first, visit.last) if moment < before}:
            counts[hour] += 1
    return tuple(counts)


def _code_days(visits: Iterable[Visit]) -> dict[str, int]:
    """On how many days each address has seen a new device code, by sessions or by the codes themselves.

    Days, because many codes take no longer than one: three in an afternoon are no place of the user's.
    """
    days: dict[tuple[str, str], str] = {}
    for visit in sorted(visits, key=lambda visit: visit.first):
        for key in visit.codes | {visit.session} - {""} if visit.is_device_code else ():
            days.setdefault((visit.ip, key), f"{visit.first:%Y-%m-%d}")
    found: dict[str, set[str]] = defaultdict(set)
    for (ip, _), day in days.items():
        found[ip].add(day)
    return {ip: len(of_it) for ip, of_it in found.items()}


def _places(visits: Sequence[Visit], before: datetime, *, enough: int) -> Iterable[Place]:
    grouped: dict[tuple[str, str, str, str], list[Visit]] = defaultdict(list)
    for visit in visits:
        grouped[visit.ip, visit.asn, visit.country, visit.app_id].append(visit)
    coded_on = _code_days(visits)
    for (ip, asn, country, app_id), found in grouped.items():
        coded = [visit for visit in found if visit.is_device_code and not visit.is_approving]
        approved = [visit for visit in found if visit.is_device_code and visit.is_approving]
        # A device code that nobody answered is refreshed for days: one session of it makes no place the user's own.
        known = [visit for visit in found if not visit.is_device_code or coded_on.get(ip, 0) >= enough]
        yield Place(
            ip=ip,
            asn=asn,
            country=country,
            app_id=app_id,
            sign_ins=sum(visit.sign_ins for visit in found),
            days=frozenset(f"{visit.first:%Y-%m-%d}" for visit in known),
            device_code_days=frozenset(f"{visit.first:%Y-%m-%d}" for visit in coded),
            device_code_sessions=frozenset(visit.session for visit in coded if visit.session),
            codes=frozenset().union(*(visit.codes for visit in coded)),
            approving_sessions=frozenset(visit.session for visit in approved),
            managed=sum(1 for visit in found if visit.first_managed and visit.first_managed < before),
            last=max(max(visit.first, min(visit.last, before)) for visit in found),
        )


def _tenant(
    addresses: Sequence[str], shared: SharedAddresses, me: str, recent: datetime, policy: Policy
) -> Iterable[AddressUse]:
    today = recent.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # Days are counted in UTC; whose codes were there some hours before is in question, wherever midnight lies between.
    around = (recent - _SAME_DAY).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for address in addresses:
        days = shared.at(address)
        before = [day for day in days if not day.by_code and today - policy.usual.history <= day.day < today]
        codes = [day for day in days if day.by_code]
        in_question = frozenset().union(*(day.users for day in codes if day.day >= around)) - {me}
        # Accounts whose codes were redeemed there now are in question themselves: they vouch for nothing.
        regulars = [day.users - {me} - in_question - _coded_by(codes, day.day) for day in before]
        yield AddressUse(
            ip=address,
            users=len(frozenset().union(*regulars)),
            days=sum(1 for users in regulars if users),
            code_users=len(in_question),
            coded=in_question,
            colleagues=tuple(colleagues(days, shared, me, today, policy)),
            batches=batches(days, me, around),
        )


def _coded_by(codes: Iterable[AddressDay], day: datetime) -> frozenset[str]:
    """Whose codes were at an address by then: what they did there since may be an attacker's, with their token."""
    return frozenset().union(*(one.users for one in codes if one.day <= day))


def _late(signins: SignIns, collected: Collected, policy: Policy, now: datetime) -> Iterable[Gap]:
    """Sources that are known to arrive late, and have nothing yet on sign-ins that young."""
    newest = max((row.at for flow in signins.completed for row in flow.successes), default=None)
    if newest is None:
        return
    age, near = now - newest, policy.correlation
    unseen = [flow for flow in signins.completed if flow.is_marked and not flow.redeemers]
    if unseen and age < near.redemption_delay:
        yield Gap(source=_LATE_REDEMPTION, reason=f"the sign-in is {_minutes(age)} old; its redemption may be late")
    uses = collected.uses
    if uses is not None and not uses.uses and not uses.gaps and age < near.activity_delay:
        yield Gap(source=_LATE_ACTIVITY, reason=f"the token is {_minutes(age)} old, and calls arrive up to 2 h late")


def _incomplete(signins: SignIns, policy: Policy, now: datetime) -> Iterable[Gap]:
    """Logs that may have rows on sign-ins that young and not all of them yet: what was added, and what was sent."""
    newest = max((row.at for flow in signins.completed for row in flow.successes), default=None)
    if newest is not None and now - newest < policy.correlation.activity_delay:
        yield Gap(
            source=LATE_CHANGES, reason=f"the token is {_minutes(now - newest)} old, and rows arrive up to 2 h late"
        )


def delays_of(late: Iterable[Gap], policy: Policy) -> tuple[timedelta, ...]:
    """How long to wait until the rows of these sources must have arrived, the shortest first."""
    near = policy.correlation
    delays = {
        _LATE_REDEMPTION: near.redemption_delay,
        _LATE_ACTIVITY: near.activity_delay,
        LATE_CHANGES: near.activity_delay,
    }
    return tuple(sorted({delays[gap.source] for gap in late if gap.source in delays}))


def _minutes(age: timedelta) -> str:
    return f"{max(0, round(age.total_seconds() / 60))} min"
