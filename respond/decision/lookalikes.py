"""No device code sign-in, but something that looks like an attack: said in words, never as a verdict of its own. Pure.

The playbook answers device code phishing. What it happens to see of another kind must not be answered with "nothing
there": the incident is about it, and a person has to look.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.addresses import may_be_same, neighbours
from respond.models.base import Source
from respond.models.lookalikes import Lookalike, LookalikeKind, Lookalikes
from respond.models.report import LOOKS_LIKE, WAS_BLOCKED, Finding, Verdict, VerdictKind
from respond.models.signin import Flow, SignIns

_MICROSOFT = "8075"
"""Cloud Shell, Codespaces and dev boxes redeem their users' codes there all day."""
_BLOCKED = frozenset({"53000", "53001", "53002", "53003", "53004", "530031", "530032", "530034"})
_MOST = 3
DEVICE_CODE = "with a device code"


def told_of_lookalikes(verdict: Verdict, user: str, signins: SignIns, seen: Lookalikes) -> Verdict:
    """A verdict that clears, and what was seen in its place or beside it.

    The weekly device code of a developer is no answer to a code that was pasted, or to an attempt that was blocked.

    Args:
        user: who was targeted.
    """
    if not verdict.is_benign:
        return verdict
    gaps = tuple(dict.fromkeys((*verdict.gaps, *seen.gaps)))
    pasted = [one for one in seen.found if one.kind is LookalikeKind.PASTED and _is_elsewhere(one)]
    findings = [*(_pasted(one) for one in pasted[:_MOST]), *_blocked(user, signins, seen)]
    if verdict.kind is not VerdictKind.NO_ACTIVITY:
        findings = [one for one in findings if one.id == LOOKS_LIKE or DEVICE_CODE in one.summary]
    if not findings:
        return verdict.model_copy(update={"gaps": gaps})
    shown = f"{verdict.headline}, but {findings[0].summary}"
    return verdict.model_copy(update={"findings": (*verdict.findings, *findings), "headline": shown, "gaps": gaps})


def blocked_attempt(user: str, flow: Flow) -> Finding | None:
    """What became of a device code that issued no token, where Conditional Access blocked it."""
    return next(iter(_blocked(user, SignIns(flows=(flow,)), Lookalikes())), None)


def _is_elsewhere(one: Lookalike) -> bool:
    """Another network than the browser's, as far as both are known, and not Microsoft's own."""
    if may_be_same(one.ip, one.signed_ip) or neighbours(one.ip, one.signed_ip) or one.asn == _MICROSOFT:
        return False
    return one.asn != one.signed_asn if one.asn and one.signed_asn else one.country != one.signed_country


def _pasted(one: Lookalike) -> Finding:
    seconds = (one.at - one.signed_at).total_seconds()
    return Finding(
        id=LOOKS_LIKE,
        weight=0,
        summary=f"a token for {one.app} was taken at {_where(one.ip, one.country, one.asn)} {seconds:.0f} s after the "
        f"user signed in at {_where(one.signed_ip, one.signed_country, one.signed_asn)}: it looks like an "
        "authorization code that was pasted to an attacker (ConsentFix); nothing was ended, a person has to look",
        evidence=(
            Source(table="SigninLogs", id=one.signed_id, at=one.signed_at),
            Source(table="AADNonInteractiveUserSignInLogs", id=one.id, at=one.at),
        ),
    )


def _blocked(user: str, signins: SignIns, seen: Lookalikes) -> Sequence[Finding]:
    coded = [row for flow in signins.flows if _was_tried(flow) for row in flow.rows if row.result in _BLOCKED]
    known = {row.id for row in coded}
    other = [one for one in seen.found if one.kind is LookalikeKind.BLOCKED and one.id not in known]
    findings = []
    if coded:
        places = dict.fromkeys(_where(row.ip, row.country, row.asn) for row in coded)
        apps = ", ".join(dict.fromkeys(row.app_name or row.app_id for row in coded))
        summary = f"somebody tried {DEVICE_CODE} for {apps} from {', '.join(list(places)[:_MOST])}: it looks like "
        findings.append(
            Finding(
                id=WAS_BLOCKED,
                weight=0,
                summary=f"{summary}device code phishing of {user}, and Conditional Access blocked it "
                f"({len(coded)} time{'' if len(coded) == 1 else 's'}): no token was issued",
                evidence=tuple(Source(table=row.table, id=row.id, at=row.at) for row in coded[:_MOST]),
            )
        )
    if other:
        apps = ", ".join(dict.fromkeys(one.app for one in other))
        places = dict.fromkeys(_where(one.ip, one.country, one.asn) for one in other)
        findings.append(
            Finding(
                id=WAS_BLOCKED,
                weight=0,
                summary=f"sign-ins of {user} to {apps} from {', '.join(list(places)[:_MOST])} were blocked by "
                f"Conditional Access ({len(other)} time{'' if len(other) == 1 else 's'}): it looks like "
                "an attempt that failed",
                evidence=tuple(Source(table="SigninLogs", id=one.id, at=one.at) for one in other[:_MOST]),
            )
        )
    return findings


def _was_tried(flow: Flow) -> bool:
    return flow.is_marked and not flow.completed


def _where(ip: str, country: str, asn: str) -> str:
    known = ", ".join(filter(None, (country, f"AS{asn}" if asn else "")))
    return f"{ip or 'an address that is not shown'} ({known})" if known else ip or "an address that is not shown"
