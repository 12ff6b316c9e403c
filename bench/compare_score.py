"""Precision and recall of whoever alerts, and the table of all. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bench.compare_people import Person
from respond.models.report import VerdictKind

_COLUMNS = (
    "who alerts",
    "precision",
    "recall",
    "malicious people found",
    "benign or quiet people alerted",
    "suspicious people alerted",
)


@dataclass(frozen=True)
class Alerts:
    """Whom one row of the table alerts on.

    Attributes:
        title: of the row.
        source: whose idea it is; empty for our own.
        not_run: scenarios that lack a table it needs; it alerts on nobody there.
    """

    title: str
    source: str
    people: Collection[Person]
    not_run: Collection[str] = ()


@dataclass(frozen=True)
class Score:
    """People by label, each as alerted on and as there are.

    Attributes:
        quiet: benign and no-activity.
    """

    malicious: tuple[int, int]
    suspicious: tuple[int, int]
    quiet: tuple[int, int]

    @property
    def precision(self) -> float | None:
        """The malicious among those alerted on; suspicious people are left out. None without an alert."""
        right, wrong = self.malicious[0], self.quiet[0]
        return right / (right + wrong) if right + wrong else None

    @property
    def recall(self) -> float | None:
        """Those alerted on among the malicious. None when nobody is."""
        found, there = self.malicious
        return found / there if there else None

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where one of them is missing."""
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score(people: Collection[Person], alerted: Collection[Person]) -> Score:
    """Count the alerts among the labelled people; an alert on anybody else is not counted."""

    def count(*labels: VerdictKind) -> tuple[int, int]:
        there = {person for person in people if person.label in labels}
        return len(there & set(alerted)), len(there)

    return Score(
        malicious=count(VerdictKind.MALICIOUS),
        suspicious=count(VerdictKind.SUSPICIOUS),
        quiet=count(VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY),
    )


def markdown(people: Collection[Person], ours: Sequence[Alerts], detections: Sequence[Alerts]) -> str:
    """The table, our own rows first and the others by F1, and what has to be said under it."""
    ranked = sorted(detections, key=lambda row: (-score(people, row.people).f1, row.source.lower(), row.title))
    return "\n".join(
        [
            f"| {' | '.join(_COLUMNS)} |",
            "|" + "---|" * len(_COLUMNS),
            *(_row(people, alerts) for alerts in [*ours, *ranked]),
            "",
            _below(people, ranked),
        ]
    )


def _row(people: Collection[Person], alerts: Alerts) -> str:
    result = score(people, alerts.people)
    counts = (f"{alerted} of {there}" for alerted, there in (result.malicious, result.quiet, result.suspicious))
    title = f"{alerts.source}: {alerts.title}" if alerts.source else f"**{alerts.title}**"
    return f"| {' | '.join([title, _decimal(result.precision), _decimal(result.recall), *counts])} |"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _below(people: Collection[Person], detections: Sequence[Alerts]) -> str:
    stories = {person.scenario for person in people}
    text = (
        f"{len(people)} labelled people in {len(stories)} scenarios, the last 24 hours of each; detections by F1. "
        "Precision leaves the suspicious out: an alert on them is counted neither for nor against a detection. "
        "Scenarios and labels are this project's own, and each detection is rewritten from its idea; its "
        "header names the source and how it was read."
    )
    groups: dict[int, list[str]] = {}
    for alerts in detections:
        groups.setdefault(len(alerts.not_run), []).append(f"{alerts.source}: {alerts.title}")
    for number in sorted(groups.keys() - {0}):
        where = "one scenario that lacks" if number == 1 else f"{number} scenarios that lack"
        text += f" Not run, so no alert, in {where} a table: {'; '.join(sorted(groups[number]))}."
    return text
