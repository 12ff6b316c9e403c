"""Looks at a user after containment: does a token live on, did a device appear?"""

from __future__ import annotations

from respond.models.base import Model, Utc


class Watch(Model):
    """One look that is planned or was made.

    Attributes:
        number: within the case, from 1; never given twice.
        due: when to look.
        taken_by: the run that looks; empty as long as none does.
        said: what it saw.
    """

    tenant: str
    case: str
    user_id: str
    number: int
    due: Utc
    taken_by: str = ""
    done_at: Utc | None = None
    said: str = ""
