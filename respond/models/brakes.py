"""What holds containment back: a freeze, and limits on how many people are contained."""

from __future__ import annotations

from pydantic import Field

from respond.models.base import Line, Model, Utc


class Freeze(Model):
    """Since when a tenant is frozen, by whom and why."""

    at: Utc
    by: Line
    why: Line

    @property
    def said(self) -> str:
        return f"all writes are frozen since {self.at:%Y-%m-%d %H:%M:%SZ} by {self.by}"


class Limits(Model):
    """How many people may be contained without a person's approval.

    Attributes:
        per_run: people of one batch.
        per_hour: people within an hour.
        share: of the tenant's users, within a day; 0.01 is one in a hundred.
        share_at_least: people within a day that are allowed however small the tenant is.
    """

    per_run: int = Field(ge=0)
    per_hour: int = Field(ge=0)
    share: float = Field(ge=0, le=1)
    share_at_least: int = Field(ge=0)


class Slot(Model):
    """Whether somebody may be contained.

    Attributes:
        reason: why not, in a sentence; or which limit a person's approval went over; empty otherwise.
    """

    granted: bool
    reason: str = ""
