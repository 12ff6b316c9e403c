"""Which sign-ins of one user are judged together: those that one look at the last day would have shown. Pure.

Over a month, the first attack must not become the history that clears the second; but last week's habit is history.
"""

from __future__ import annotations

from datetime import timedelta

from respond.models.signin import Flow, SignIns


def episodes(signins: SignIns, length: timedelta) -> tuple[SignIns, ...]:
    """The sign-ins in groups, each as long as one hunting window from its first sign-in on; oldest first."""
    groups: list[list[Flow]] = []
    for flow in sorted(signins.flows, key=lambda flow: flow.started):
        if groups and flow.started < groups[-1][0].started + length:
            groups[-1].append(flow)
        else:
            groups.append([flow])
    return tuple(SignIns(flows=tuple(group), gaps=signins.gaps) for group in groups)
