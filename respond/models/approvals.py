"""Changes that a person is asked to approve, and the answers."""

from __future__ import annotations

from respond.models.base import Line, Model, OpenEnum, Utc


class Answer(OpenEnum):
    """What became of a question. `EXPIRED`: nobody answered in time; `OVERTAKEN`: it is not asked any more."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    OVERTAKEN = "overtaken"


class Asked(Model):
    """One change of one case that waits for a person, or did.

    Attributes:
        name: of the action.
        object: id of what it would change.
        target: the same, for people to read.
        step: what to do once it is approved, as JSON text that only the asker reads.
        at: when it was first asked in this round.
        due: until when an answer is waited for; None: for ever.
        round: 1 for the first question about this change; one more each time it is asked anew after an answer.
    """

    case: str
    tenant: str
    name: str
    object: str
    target: str
    summary: Line
    step: str
    run: str
    at: Utc
    due: Utc | None = None
    answer: Answer = Answer.WAITING
    by: Line = ""
    answered_at: Utc | None = None
    because: Line = ""
    round: int = 1
