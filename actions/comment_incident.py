"""One comment on the incident for one stage of a case.

    PUT …/providers/Microsoft.SecurityInsights/incidents/{id}/comments/{comment}
    https://learn.microsoft.com/rest/api/securityinsights/incident-comments/create-or-update

Safe to repeat: the comment's id is ours to choose and follows from incident, case and stage. It is written only if it
is not there, or says something else.

Leaves open: Sentinel takes 100 comments an incident, ours and everybody's; the ticket has the whole story.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Mapping
from typing import Any

from respond.defang import as_comment
from respond.models.case import Case
from respond.models.incident import IncidentId
from respond.models.owed import OwedKind
from respond.models.report import ActionStatus, Change, Request
from respond.step import Owes, clients, write_action

NAME = "comment_incident"
LONGEST = 30_000
_MOST = 100
_CUT = "(cut here: Sentinel takes 30,000 characters; the ticket has the rest)"
_IDS = uuid.UUID("6f0f4c6e-5d3c-5f0e-9a54-6a1b54a9d2c1")
_TAG = re.compile(r"<[^<>]*>")


def _key(case: Case, told: Mapping[str, Any]) -> str:
    return comment_id(case, told["incident"], told["stage"])


def _target(_: Case, told: Mapping[str, Any]) -> str:
    return IncidentId.called(told["incident"])


@write_action("Microsoft Sentinel Responder", owes=Owes(OwedKind.COMMENT, _key, _target))
async def comment_incident(case: Case, *, incident: str, stage: str, text: str, once: bool = False) -> Change:
    """Say on the incident what has come of a stage.

    Args:
        incident: its Azure resource id, in any case.
        stage: which of the case's comments this is; the same stage again replaces the text.
        text: plain text, of any length; shown as it is, links defanged.
        once: a comment that is there stays as it is.

    Raises:
        NotFound: no such incident (any more).
        Permanent: not the id of an incident.
        Forbidden, Transient: as named.
    """
    sentinel, comment = clients(case).sentinel, comment_id(case, incident, stage)
    wanted = as_comment(text, most=LONGEST, cut=_CUT)
    held = await sentinel.comment(incident, comment)
    if held is not None and (once or _says(held, wanted)):
        return _change(incident, ActionStatus.UNNEEDED, f"the comment on {stage} is there", verified=True)
    if held is None and await sentinel.comments_count(incident) >= _MOST:
        full = f"the incident has {_MOST} comments, which is all that Sentinel takes: delete some, or read the ticket"
        return _change(incident, ActionStatus.REFUSED, full)
    if case.is_dry_run:
        request = Request(method="PUT", url=sentinel.url(incident, comment))
        return _change(incident, ActionStatus.PLANNED, f"comment on {stage}", request=request)
    await sentinel.put_comment(incident, comment, wanted)
    back = await sentinel.comment(incident, comment)
    if back is not None and _says(back, wanted):
        return _change(incident, ActionStatus.DONE, f"commented on {stage}, and read back", verified=True)
    lost = f"Sentinel took the comment on {stage}, but it does not read back: look at the incident"
    return _change(incident, ActionStatus.DONE, lost, verified=False)


def comment_id(case: Case, incident: str, stage: str) -> str:
    """The same for the same incident, case and stage, in whatever process."""
    return str(uuid.uuid5(_IDS, "\n".join((incident.lower(), case.id or case.run, stage))))


def _says(held: str, wanted: str) -> bool:
    """Whether two comments read the same: Sentinel may keep the markup in another form."""
    return _plain(held) == _plain(wanted)


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def _change(incident: str, status: ActionStatus, summary: str, **more: object) -> Change:
    target = IncidentId.called(incident)
    return Change.model_validate({"name": NAME, "status": status, "target": target, "summary": summary, **more})
