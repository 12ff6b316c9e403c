"""What a policy would have done over some weeks. Printed by `respond backtest --json`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from respond.models.base import Gap, Model, Utc
from respond.models.report import Person, Span, VerdictKind


class Answer(StrEnum):
    """What the playbook does about a case."""

    CONTAINED = "contained"
    ASKED = "asked"
    IGNORED = "ignored"

    @classmethod
    def to(cls, kind: VerdictKind) -> Answer:
        answers = {VerdictKind.MALICIOUS: cls.CONTAINED, VerdictKind.SUSPICIOUS: cls.ASKED}
        return answers.get(kind, cls.IGNORED)


class Replayed(Model):
    """One case as a policy would have answered it: the sign-ins of one user that are judged together.

    Attributes:
        analyst: how analysts classified the incident on it, "" where there is none.
    """

    user: Person
    at: Utc
    app: str
    network: str
    ip: str
    country: str
    sign_ins: int
    verdict: VerdictKind
    score: int = Field(ge=0, le=100)
    answer: Answer
    reason: str
    analyst: str = ""


class Difference(Model):
    """A case that another policy answers otherwise."""

    case: Replayed
    other_verdict: VerdictKind
    other_score: int
    other_answer: Answer
    other_reason: str


class Tally(Model):
    """How many cases got which answer."""

    contained: int = 0
    asked: int = 0
    ignored: int = 0

    def plus(self, answer: Answer) -> Tally:
        return self.model_copy(update={answer.value: getattr(self, answer.value) + 1})

    @property
    def total(self) -> int:
        return self.contained + self.asked + self.ignored


class Backtest(Model):
    """A policy over history.

    Attributes:
        log_rows: sign-in rows of both tables in the window and the history before it: what was looked through.
        complete: False when it was interrupted: the figures are of the users done until then.
        by_analyst: answers by the classification of the incident on the case.
        differences: cases that the second policy answers otherwise; None without one.
    """

    tenant: str
    window: Span
    policy: str
    other_policy: str = ""
    complete: bool = True
    log_rows: int = 0
    sign_ins: int = 0
    users: int = 0
    users_done: int = 0
    answers: Tally = Tally()
    by_app: dict[str, Tally] = Field(default_factory=dict)
    by_network: dict[str, Tally] = Field(default_factory=dict)
    by_analyst: dict[str, Tally] = Field(default_factory=dict)
    cases: tuple[Replayed, ...] = ()
    differences: tuple[Difference, ...] | None = None
    gaps: tuple[Gap, ...] = ()
    queries: int = 0
    seconds: float = 0.0
