"""What a look over a whole tenant reports: every device code sign-in with its verdict. `respond hunt --json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from respond.models.base import Gap, Model, Utc
from respond.models.report import Finding, Person, Span, VerdictKind
from respond.models.signin import LegRow


class SurveyedSignIn(Model):
    """One device code sign-in of one user.

    Attributes:
        reason: the verdict's grounds in a sentence.
        app_id, country, ip: of whoever holds the token; of the approval, where that is all that is known.
    """

    user: Person
    at: Utc
    app: str
    app_id: str
    resource: str
    country: str
    ip: str
    asn: str
    verdict: VerdictKind
    score: int = Field(ge=0, le=100)
    reason: str
    findings: tuple[Finding, ...] = ()
    legs: tuple[LegRow, ...] = ()


class Counts(Model):
    """How many sign-ins there were of each kind, most first."""

    verdict: dict[str, int]
    app: dict[str, int]
    country: dict[str, int]


class Survey(Model):
    """Worst sign-in first.

    Attributes:
        queries: how many were sent to the workspace and to Defender.
    """

    tenant: str
    window: Span
    sign_ins: tuple[SurveyedSignIn, ...]
    counts: Counts
    users: int
    gaps: tuple[Gap, ...] = ()
    queries: int = 0


def counts_of(found: Iterable[SurveyedSignIn]) -> Counts:
    """The counts of a list."""
    rows = tuple(found)

    def most(values: Iterable[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))

    return Counts(
        verdict=most(row.verdict.value for row in rows),
        app=most(row.app or row.app_id for row in rows),
        country=most(row.country or "unknown" for row in rows),
    )
