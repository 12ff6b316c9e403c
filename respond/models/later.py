"""Writes that a service asked to wait with, longer than a run may."""

from __future__ import annotations

from respond.models.base import Model, Utc
from respond.models.ladder import Step


class Later(Model):
    """One write that is tried again when its time has come.

    Attributes:
        by: who approved it, where somebody had to.
        taken_by: the run that tries it; empty as long as none does.
        tries: how often that came to nothing.
    """

    tenant: str
    case: str
    step: Step
    by: str = ""
    due: Utc
    taken_by: str = ""
    tries: int = 0
