"""What a change is about to overwrite, written down before the change is sent."""

from __future__ import annotations

from respond.models.base import Model, Utc


class Intent(Model):
    """One change of one object, and what was there before.

    Attributes:
        name: of the action.
        object: id of what it changes.
        step: how to undo it, and `before`: what was there; both JSON text that only the action reads.
        at: when it was about to be sent.
        undone_at: when what was there before was put back.
    """

    tenant: str
    case: str
    user_id: str
    name: str
    object: str
    step: str
    before: str
    at: Utc
    undone_at: Utc | None = None
