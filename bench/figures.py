"""One figure people wait for, its goal, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Goal:
    """What the median has to stay below.

    Attributes:
        figure: what is measured, in words.
        below: the limit, in `unit`.
        unit: of the limit and of every measured value.
    """

    figure: str
    below: float
    unit: str


@dataclass(frozen=True)
class Measured:
    """The values of one figure, in the order measured; none when it could not be measured.

    Attributes:
        values: one a run, in the goal's unit.
        note: how it was measured, or why it was not.
    """

    values: tuple[float, ...] = ()
    note: str = ""

    def meets(self, goal: Goal) -> bool:
        """Whether it was measured and the median is below the goal."""
        return bool(self.values) and median(self.values) < goal.below
