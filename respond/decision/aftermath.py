"""What speaks for an attack after the sign-in: what the token read, where it went, what was added to stay."""

from __future__ import annotations

from bisect import bisect_right

from respond.decision.view import View
from respond.decision.words import times
from respond.models.base import Source
from respond.models.evidence import Foothold, FootholdKind, TokenUse
from respond.models.report import Finding
from respond.models.signin import Leg

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
    FootholdKind.MAIL_RULE: "an inbox rule, forwarding or access to mail was set",
    FootholdKind.APPLICATION: "an application was registered or given a key",
    FootholdKind.ROLE: "a directory role was assigned",
    FootholdKind.POLICY: "a policy of the tenant was changed",
    FootholdKind.DOMAIN: "a domain of the tenant was changed",
    FootholdKind.GUEST: "a guest was invited",
    FootholdKind.ACCOUNT: "an account was made or let in",
}
_IDS = {
    FootholdKind.POLICY: "policy-changed",
    FootholdKind.DOMAIN: "domain-changed",
    FootholdKind.GUEST: "guest-invited",
    FootholdKind.ACCOUNT: "account-changed",
}
_TENANT = (FootholdKind.ROLE, FootholdKind.POLICY, FootholdKind.DOMAIN, FootholdKind.GUEST, FootholdKind.ACCOUNT)


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
    changes = (one for one in view.evidence.footholds.changes if one.leads_outside and not one.removal)
    found = [one for one in changes if is_the_holders(view, one)]
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
        and not change.removal
        and not change.is_harmless
        and view.approved_at <= change.at <= until
        and not is_the_holders(view, change)
        and view.exposed_at.same(change.ip)
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


def device_nearby(view: View) -> Finding | None:
    """A device that was registered soon after the approval at a familiar address, or at one that the log does not name.

    It is named and weighs nothing: without a token for the registration service nothing ties it to the sign-in.
    """
    until = view.approved_at + view.policy.correlation.act_within
    found = [
        change
        for change in view.evidence.footholds.changes
        if change.kind is FootholdKind.DEVICE
        and not change.removal
        and view.approved_at <= change.at <= until
        and (view.exposed_at.same(change.ip) or not (change.ip or change.session))
        and not is_the_holders(view, change)
    ]
    if not found:
        return None
    ip = next((one.ip for one in found if one.ip), "")
    where = f"{ip}, a familiar address" if ip else "an address that the log does not name"
    return Finding(
        id="device-at-familiar-address",
        weight=0,
        summary=f"a device was registered from {where}, soon after ({found[0].what}), and no token for the "
        "registration service is on record before it: it proves a registration in the user's name, and not by whom",
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
    for use in uses_of(view):
        known = view.is_usual(use.ip) or view.is_common(use.ip) or view.may_be_known(use.ip)
        known = known or bool(view.successes_at.maybe(use.ip))
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
        FootholdKind.APPLICATION: weights.application_added,
        **dict.fromkeys(_TENANT, weights.tenant_changed),
    }
    changes = (one for one in view.evidence.footholds.changes if one.kind is kind and not one.removal)
    found = [one for one in changes if is_the_holders(view, one)]
    if not found:
        return None
    return Finding(
        id=_IDS.get(kind, f"{kind.value}-added"),
        weight=points[kind],
        summary=f"{_SUMMARIES[kind]} from {found[0].ip or 'the same session'} after the approval ({found[0].what})",
        evidence=tuple(Source(table=change.table, id=change.id, at=change.at) for change in found),
    )


def _follows_registration(view: View, change: Foothold) -> bool:
    near = view.policy.correlation.registration_within
    place = bisect_right(view.registrations, change.at)
    return place > 0 and change.at <= view.registrations[place - 1] + near


def is_in_the_code_flow(view: View, change: Foothold) -> bool:
    """A consent to the very application that the code was for, around the approval.

    The user gives it in the browser before the code counts as approved, and Entra's sign-in service logs it without an
    address of the user's: only the application ties it to the sign-in.
    """
    if change.kind is not FootholdKind.CONSENT:
        return False
    flow, near = view.flow, view.policy.correlation.registration_within
    apps = {row.app_id for row in flow.successes if row.leg is not Leg.LINKED or flow.is_approval(row)} - {""}
    return bool(apps & set(change.objects)) and flow.began - near <= change.at <= flow.started + near


def is_the_holders(view: View, change: Foothold) -> bool:
    """Made in the sign-in's own session, or from the holder's address where that is nobody's usual one."""
    if is_in_the_code_flow(view, change):
        return True
    if change.at < view.approved_at:
        return False
    if change.session and change.session in view.sessions:
        return True
    at_holder = bool(view.exposed_at.same(change.ip))
    if at_holder and not view.is_usual(change.ip) and not view.is_common(change.ip):
        return True
    # The registration service names no address, and everybody is at a familiar one: for a device, the token for that
    # service is the link, and what follows it within minutes is its doing.
    unnamed = not change.ip and not change.session
    return (at_holder or unnamed) and change.kind is FootholdKind.DEVICE and _follows_registration(view, change)
