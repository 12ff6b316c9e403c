"""Is the attacker still there after a containment? Pure.

A revocation ends refresh tokens; it does not end access tokens that are out, and a primary refresh token on a device
that the attacker registered may outlive it. So a token that is issued in the old session after the cut-off, or used
when every old access token has expired, says that something survived.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from respond.decision.aftermath import uses_of
from respond.decision.view import View
from respond.models.report import SURVIVED, Finding, Verdict


def survivors(views: Sequence[View], cut_off: datetime | None) -> tuple[str, ...]:
    """What shows that a containment did not end it, each in a sentence.

    Args:
        views: of the sign-ins that are not benign.
        cut_off: since when the user's refresh tokens are refused; None when they never were.
    """
    if cut_off is None:
        return ()
    found: list[str] = []
    # What was approved after the cut-off is a new sign-in, which the revocation did not mean.
    for view in (view for view in views if view.flow.started < cut_off):
        ladder, flow = view.policy.ladder, view.flow
        own = {id(row) for row in flow.own_rows}
        later = [row for row in flow.successes if row.at > cut_off + ladder.grace]
        issued = [row for row in later if not flow.is_approval(row) and id(row) not in own]
        if issued:
            row = max(issued, key=lambda one: one.at)
            found.append(f"a token was issued in the old session at {row.at:%Y-%m-%d %H:%M:%SZ} from {row.ip}")
        late = [use for use in uses_of(view) if use.last > cut_off + ladder.token_lives]
        if late:
            use = max(late, key=lambda one: one.last)
            found.append(f"a token of the session was used at {use.last:%Y-%m-%d %H:%M:%SZ} from {use.ip}")
    return tuple(dict.fromkeys(found))


def told_of_survivors(verdict: Verdict, found: Sequence[str]) -> Verdict:
    """The verdict, and that the attacker is still there."""
    news = tuple(Finding(id=SURVIVED, weight=0, summary=f"still there after the containment: {one}") for one in found)
    return verdict.model_copy(update={"findings": (*verdict.findings, *news)}) if news else verdict
