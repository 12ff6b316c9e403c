"""The story in the order it happened: mail, click, approval, redemption, and what we did. Pure."""

from __future__ import annotations

from respond.defang import defang
from respond.models.evidence import Click, Evidence, Message, TokenUse
from respond.models.report import Moment
from respond.models.signin import Flow, Leg, SignIn, SignIns

_VERBS = {Leg.APPROVING: "approved", Leg.REDEEMING: "redeemed", Leg.LINKED: "same session"}
_FIRST, _LAST = 20, 20


def timeline(signins: SignIns, evidence: Evidence) -> tuple[Moment, ...]:
    """Every moment that the report shows, oldest first."""
    moments = [_sign_in(row, index) for flow in signins.flows for index, row in _numbered(flow)]
    clicks = evidence.lures.suspect_clicks
    clicked = {click.message_id for click in clicks} - {""}
    followed = {click.url for click in clicks}
    for mail in evidence.lures.messages:
        if mail.pattern or mail.threats or mail.device_login or mail.id in clicked or followed & set(mail.urls):
            moments += _message(mail)
    moments += [_click(click) for click in clicks]
    rows = [row for flow in signins.flows for row in flow.successes]
    tokens, sessions = {row.token_id for row in rows} - {""}, {row.session_id for row in rows} - {""}
    # What the user does in other sessions all month is no part of the story.
    moments += [_use(use) for use in evidence.uses.uses if use.token in tokens or use.session in sessions]
    moments += [
        Moment(at=change.at, what=f"{change.what} from {change.ip or 'an unknown address'}", source=change.table)
        for change in evidence.footholds.changes
    ]
    shown = _shortened(sorted(moments, key=lambda moment: moment.at))
    return tuple(moment.model_copy(update={"what": defang(moment.what)}) for moment in shown)


def _message(mail: Message) -> list[Moment]:
    kind = "Teams message" if mail.table == "MessageEvents" else "mail"
    text = f"{kind} delivered from {mail.sender}" + (f": {defang(mail.subject)}" if mail.subject else "")
    moments = [Moment(at=mail.at, what=text, source=mail.table)]
    if mail.removed_at:
        moments.append(Moment(at=mail.removed_at, what="the mail was taken away", source="EmailPostDeliveryEvents"))
    return moments


def _shortened(moments: list[Moment]) -> tuple[Moment, ...]:
    """The beginning and the end of a long story, with a line that says what is left out between."""
    left_out = len(moments) - _FIRST - _LAST
    if left_out <= 0:
        return tuple(moments)
    gap = Moment(at=moments[_FIRST].at, what=f"({left_out} more rows are left out here)", source="respond")
    return (*moments[:_FIRST], gap, *moments[-_LAST:])


def _click(click: Click) -> Moment:
    reached = ", reached Microsoft's device code page" if click.reached_device_login else ""
    return Moment(at=click.at, what=f"clicked {defang(click.url)}{reached}", source="UrlClickEvents")


def _use(use: TokenUse) -> Moment:
    thing, of = ("Graph call", "") if "Graph" in use.table else ("use", " of mail and files")
    many = "" if use.calls == 1 else "s"
    writes = f", {use.writes} of them writes" if use.writes else ""
    text = f"{use.calls} {thing}{many}{of} with the token from {use.ip or 'an unknown address'}{writes}"
    return Moment(at=use.first, what=text, source=use.table)


def _numbered(flow: Flow) -> list[tuple[int, SignIn]]:
    """Each row with its place among the rows of its leg: the second redemption is a refresh."""
    count: dict[Leg, int] = {}
    numbered = []
    for row in flow.rows:
        count[row.leg] = count.get(row.leg, -1) + 1
        numbered.append((count[row.leg], row))
    return numbered


def _sign_in(row: SignIn, index: int) -> Moment:
    verb = "refreshed" if row.leg is Leg.REDEEMING and index else _VERBS[row.leg]
    verb = verb if row.succeeded else f"not completed ({row.result})"
    target = defang(row.resource_name or row.app_name)
    place = f"{row.ip} {row.country}".strip()
    return Moment(at=row.at, what=f"{verb}: {defang(row.app_name)} for {target} from {place}", source=row.table)
