"""Work that an outage kept from being done, and that is tried again until it is."""

from __future__ import annotations

from enum import StrEnum

from respond.models.base import Model, Utc


class OwedKind(StrEnum):
    """What is owed; for writes the name of the action."""

    DELIVERY = "answer_delivery"
    COMMENT = "comment_incident"
    TAG = "tag_incident"
    TICKET = "open_ticket"
    NOTICE = "send_notice"
    UNDO = "take_back"


class Owed(Model):
    """One piece of work that is tried again when its time has come.

    Attributes:
        key: what it is about: a delivery, a comment, a case. The same work has the same key.
        case: case it belongs to; empty where there is none yet.
        body: what is needed to do it; JSON text that only its action reads.
        due: when it is tried again.
        tries: how often it came to nothing.
        since: when it came to nothing first.
        reason: why it did, the last time.
        taken_by: the run that tries it; empty as long as none does.
    """

    tenant: str
    kind: OwedKind
    key: str
    case: str = ""
    body: str = ""
    due: Utc
    tries: int = 0
    since: Utc
    reason: str = ""
    taken_by: str = ""
