"""What a person has ordered about a case: carry out some steps, or take them back."""

from __future__ import annotations

from pydantic import Field

from respond.models.base import Model
from respond.models.ladder import Step, Word
from respond.models.report import Report


class Order(Model):
    """Steps of one case, and the word on them.

    Attributes:
        report: on which the person decided.
        exactly: carry the steps out only if the world is as the plan expects it, or none of them.
    """

    report: Report
    word: Word
    steps: tuple[Step, ...] = ()
    exactly: bool = Field(default=False)
