"""What speaks for an attack after the sign-in: what the token read, where it went, what was added to stay."""

from __future__ import annotations

from respond.addresses import same_address
from respond.decision.view import View
from respond.models.base import Source
from respond.models.evidence import Foothold, FootholdKind, TokenUse
from respond.models.report import Finding

_SUMMARIES = {
    FootholdKind.DEVICE: "a device was registered",
    FootholdKind.METHOD: "an authentication method was added",
    FootholdKind.CONSENT: "an application was granted access",
    FootholdKind.MAIL_RULE: "an inbox rule or forwarding was set",
}


def token_reads(view: View) -> Finding | None:
    """Reads of the directory, of mail or files, with the token."""
    uses = [use for use in _uses(view) if use.directory or use.content]
    if not uses:
        return None
    directory, content = sum(use.directory for use in uses), sum(use.content for use in uses)
    counts = ((directory, "the directory"), (content, "mail or files"))
    what = " and ".join(f"{name} {count} time{'' if count == 1 else 's'}" for count, name in counts if count)
    return Finding(
        id="token-reads",
        weight=view.policy.weights.token_reads,
        summary=f"the token read {what} through Graph",
        evidence=tuple(Source(table="MicrosoftGraphActivityLogs", id=use.ip, at=use.first) for use in uses),
    )


def _uses(view: View) -> list[TokenUse]:
    """What was done with the tokens of this very sign-in."""
    tokens = {row.token_id for row in view.flow.successes if row.token_id}
    sessions = {row.session_id for row in view.flow.successes if row.session_id}
    return [use for use in view.evidence.uses.uses if use.token in tokens or use.session in sessions]


def token_elsewhere(view: View) -> Finding | None:
    """The token at an address of its own: handed on, or used through a proxy."""
    held = {row.ip for row in view.flow.successes}
    for use in _uses(view):
        known = view.is_usual(use.ip) or view.is_common(use.ip) or any(same_address(use.ip, ip) for ip in held)
        if use.ip and not known:
            return Finding(
                id="token-elsewhere",
                weight=view.policy.weights.token_elsewhere,
                summary=f"the token was used from {use.ip}, which did not redeem it",
                evidence=(Source(table="MicrosoftGraphActivityLogs", id=use.ip, at=use.first),),
            )
    return None


def footholds(view: View) -> tuple[Finding, ...]:
    """One finding for each kind of change, made from where the token is held."""
    weights = view.policy.weights
    points = {
        FootholdKind.DEVICE: weights.device_added,
        FootholdKind.METHOD: weights.method_added,
        FootholdKind.CONSENT: weights.consent_added,
        FootholdKind.MAIL_RULE: weights.mail_rule_added,
    }
    ours = [change for change in view.evidence.footholds.changes if _belongs(view, change)]
    return tuple(
        Finding(
            id=f"{kind.value}-added",
            weight=points[kind],
            summary=f"{_SUMMARIES[kind]} from {found[0].ip or 'the same session'} after the approval ({found[0].what})",
            evidence=tuple(Source(table=change.table, id=change.id, at=change.at) for change in found),
        )
        for kind in FootholdKind
        if (found := [change for change in ours if change.kind is kind])
    )


def _belongs(view: View, change: Foothold) -> bool:
    sessions = {row.session_id for row in view.flow.rows if row.session_id}
    same_place = any(same_address(change.ip, row.ip) for row in view.exposed)
    return change.at >= view.approved_at and (change.session in sessions or same_place)
