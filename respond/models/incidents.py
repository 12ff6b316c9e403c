"""What analysts decided on incidents, as Sentinel keeps it."""

from __future__ import annotations

from respond.models.base import Gap, Model, OpenEnum, Utc
from respond.models.evidence import Names


class Classification(OpenEnum):
    """Sentinel's words for how an incident was closed."""

    TRUE_POSITIVE = "TruePositive"
    BENIGN_POSITIVE = "BenignPositive"
    FALSE_POSITIVE = "FalsePositive"
    UNDETERMINED = "Undetermined"

    @classmethod
    def read(cls, text: str) -> Classification:
        """The classification of that name; anything else is undetermined."""
        return next((one for one in cls if one.value.lower() == text.lower()), cls.UNDETERMINED)


class Classified(Model):
    """One alert of one closed incident.

    Attributes:
        accounts: object ids and UPNs that the alert names, in lower case.
    """

    number: int
    classification: Classification
    first: Utc
    last: Utc
    accounts: Names


class Incidents(Model):
    found: tuple[Classified, ...] = ()
    gaps: tuple[Gap, ...] = ()
