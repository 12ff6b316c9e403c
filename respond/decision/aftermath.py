"""What speaks for an attack after the sign-in: what the token read, where it went, what was added to stay."""

from __future__ import annotations

from respond.addresses import same_address
from respond.decision.hidden import may_be_same
from respond.decision.view import View
from respond.decision.words import times
from respond.models.base import Source
from respond.models.evidence import Foothold, FootholdKind, TokenUse
from respond.models.report import Finding

_REGISTRATION_SERVICE = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"
_THROUGH = {
    "MicrosoftGraphActivityLogs": "Graph",
    "AADGraphActivityLogs": "Azure AD Graph",
    "OfficeActivity": "Office",
    "CloudAppEvents": "Office",
}
_SUMMARIES = {
    FootholdKind.DEVICE: "a device was registered",
    FootholdKind.METHOD: "an authentication method was added",
    FootholdKind.CONSENT: "an application was granted access",
    FootholdKind.MAIL_RULE: "an inbox rule or forwarding was set",
}


def token_reads(view: View) -> Finding | None:
    """Reads of the directory, of mail or files, with the token."""
    uses = [use for use in uses_of(view) if use.directory or use.content]
    if not uses:
        return None
    directory, content = sum(use.directory for use in uses), sum(use.content for use in uses)
    counts = ((directory, "the directory"), (content, "mail or files"))
    what = " and ".join(f"{name} {times(count)}" for count, name in counts if count)
    through = ", ".join(dict.fromkeys(_THROUGH.get(use.table, use.table) for use in uses))
    return Finding(
        id="token-reads",
        weight=view.policy.weights.token_reads,
        summary=f"the token read {what} through {through}",
        evidence=tuple(Source(table=use.table, id=use.ip, at=use.first) for use in uses),
    )


def token_searches(view: View) -> Finding | None:
    """Searches, and calls that look for roles, methods, grants and rules."""
    uses = [use for use in uses_of(view) if use.sensitive]
    if not uses:
        return None
    count = sum(use.sensitive for use in uses)
    return Finding(
        id="token-searches",
        weight=view.policy.weights.token_searches,
        summary=f"the token searched, or asked for roles, methods, grants or rules, {times(count)}",
        evidence=tuple(Source(table=use.table, id=use.ip, at=use.first) for use in uses),
    )


def is_mass_reading(view: View) -> bool:
    """Whether the token read more than a day's work does."""
    return sum(use.directory + use.content for use in uses_of(view)) >= view.policy.correlation.mass_reads


def token_sent(view: View) -> Finding | None:
    """Messages that were sent with the token."""
    uses = [use for use in uses_of(view) if use.sent]
    if not uses:
        return None
    return Finding(
        id="token-sent",
        weight=view.policy.weights.token_sent,
        summary=f"the token sent messages {times(sum(use.sent for use in uses))}",
        evidence=tuple(Source(table=use.table, id=use.ip, at=use.first) for use in uses),
    )


def mass_mail(view: View) -> Finding | None:
    """A message to many people outside after the approval, of somebody who never wrote to so many before."""
    mails = view.evidence.uses.mass_mails
    after = [mail for mail in mails if mail.at >= view.approved_at]
    if not after or len(after) < len(mails):
        return None
    mail = max(after, key=lambda one: (one.outsiders, one.at, one.id))
    return Finding(
        id="mass-mail",
        weight=view.policy.weights.mass_mail,
        summary=f"a message to {mail.outsiders} people outside left the mailbox after the approval, the first to many",
        evidence=(Source(table="EmailEvents", id=mail.id, at=mail.at),),
    )


def lure_then_sent(view: View) -> Finding | None:
    """The whole chain of a taken mailbox: a lure, a code, and mail to many people outside."""
    sent = mass_mail(view)
    if sent is None or not (view.has_lure or any(one.first_contact and not one.urls for one in view.messages)):
        return None
    return Finding(
        id="lure-then-mass-mail",
        weight=view.policy.weights.lure_then_sent,
        summary="the mail to many people outside followed a lure and the code that it asked for",
        evidence=sent.evidence,
    )


def forwarding_outside(view: View) -> Finding | None:
    """A rule or the mailbox itself sends mail on to an address outside, made from where the token is held."""
    found = [one for one in view.evidence.footholds.changes if one.leads_outside and is_the_holders(view, one)]
    if not found:
        return None
    return Finding(
        id="forwarding-outside",
        weight=view.policy.weights.forwarding_outside,
        summary=f"mail is sent on to an address outside the tenant ({found[0].what})",
        evidence=tuple(Source(table=change.table, id=change.id, at=change.at) for change in found),
    )


def acts_nearby(view: View) -> tuple[Foothold, ...]:
    """What was added soon after the approval at a familiar address, where the user and the attacker look the same."""
    until = view.approved_at + view.policy.correlation.act_within
    return tuple(
        change
        for change in view.evidence.footholds.changes
        if change.kind is not FootholdKind.DEVICE
        and not change.is_harmless
        and view.approved_at <= change.at <= until
        and not is_the_holders(view, change)
        and any(same_address(change.ip, row.ip) for row in view.exposed)
    )


def act_nearby(view: View) -> Finding | None:
    """Named, because nobody can tell whose act it is."""
    found = acts_nearby(view)
    if not found:
        return None
    return Finding(
        id="act-at-familiar-address",
        weight=view.policy.weights.act_nearby,
        summary=f"{_SUMMARIES[found[0].kind]} from {found[0].ip} soon after ({found[0].what}), by the user or by "
        "whoever holds the token: everybody is at that address",
        evidence=tuple(Source(table=change.table, id=change.id, at=change.at) for change in found),
    )


def uses_of(view: View) -> list[TokenUse]:
    """What was done with the tokens of this very sign-in."""
    tokens = {row.token_id for row in view.flow.successes if row.token_id}
    sessions = {row.session_id for row in view.flow.successes if row.session_id}
    held = {row.ip for row in view.holders}
    # The browser that approved keeps the session id: what it reads at its own address is the user's doing.
    browser = {row.ip for row in (*view.flow.approvals, *view.flow.own_rows) if row.ip} - held
    return [
        use
        for use in view.evidence.uses.uses
        if use.token in tokens or (use.session in sessions and use.ip not in browser)
    ]


def token_elsewhere(view: View) -> Finding | None:
    """The token at an address of its own: handed on, or used through a proxy."""
    held = {row.ip for row in view.flow.successes}
    for use in uses_of(view):
        known = view.is_usual(use.ip) or view.is_common(use.ip) or any(may_be_same(use.ip, ip) for ip in held)
        if use.ip and not known:
            return Finding(
                id="token-elsewhere",
                weight=view.policy.weights.token_elsewhere,
                summary=f"the token was used from {use.ip}, which did not redeem it",
                evidence=(Source(table=use.table, id=use.ip, at=use.first),),
            )
    return None


def foothold(view: View, kind: FootholdKind) -> Finding | None:
    """Changes of one kind, made from where the token is held."""
    weights = view.policy.weights
    points = {
        FootholdKind.DEVICE: weights.device_added,
        FootholdKind.METHOD: weights.method_added,
        FootholdKind.CONSENT: weights.consent_added,
        FootholdKind.MAIL_RULE: weights.mail_rule_added,
    }
    found = [one for one in view.evidence.footholds.changes if one.kind is kind and is_the_holders(view, one)]
    if not found:
        return None
    return Finding(
        id=f"{kind.value}-added",
        weight=points[kind],
        summary=f"{_SUMMARIES[kind]} from {found[0].ip or 'the same session'} after the approval ({found[0].what})",
        evidence=tuple(Source(table=change.table, id=change.id, at=change.at) for change in found),
    )


def _follows_registration(view: View, change: Foothold) -> bool:
    near = view.policy.correlation.registration_within
    issued = [row.at for row in view.holders if row.resource_id == _REGISTRATION_SERVICE]
    return any(moment <= change.at <= moment + near for moment in issued)


def is_the_holders(view: View, change: Foothold) -> bool:
    """Made in the sign-in's own session, or from the holder's address where that is nobody's usual one."""
    if change.at < view.approved_at:
        return False
    sessions = {row.session_id for row in view.flow.rows if row.session_id}
    if change.session and change.session in sessions:
        return True
    if not change.ip and not change.session:
        # The registration service names no address: what follows a token for it within minutes is its doing.
        return change.kind is FootholdKind.DEVICE and _follows_registration(view, change)
    if not any(same_address(change.ip, row.ip) for row in view.exposed):
        return False
    if not view.is_usual(change.ip) and not view.is_common(change.ip):
        return True
    # Everybody is at a familiar address. For a device, the token for the registration service is the link.
    return change.kind is FootholdKind.DEVICE and _follows_registration(view, change)
