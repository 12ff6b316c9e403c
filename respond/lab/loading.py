"""From a story's files to tables that can be asked: what is done when it is loaded, and what when somebody asks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from respond.lab import scenario

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from respond.lab.scenario import Scenario

LARGE = 32 * 1024 * 1024
"""A story with more bytes of rows than this has its tables in a file: in memory they would take twice as much."""


def prepare(story: Scenario, shift: timedelta, folder: Path) -> None:
    """Check every row. A large story's workspace is built too, while its rows are at hand: both take minutes of work.

    Args:
        folder: where the lab keeps its memory.

    Raises:
        UsageError: the first mistake in a row, or the folder cannot hold the tables.
    """
    if not is_large(story):
        scenario.check_rows(story)
        return
    from respond.lab import row_file

    row_file.build(story, shift, folder, "workspace")


def connect(story: Scenario, shift: timedelta, folder: Path, form: str) -> DuckDBPyConnection:
    """The story's tables, moved to the present, in a form of `row_jobs.FORMS`; absent tables do not exist.

    Raises:
        UsageError: as `prepare`; the files have changed since.
    """
    from respond.lab import row_file, tables

    if not is_large(story):
        return tables.in_memory(story, shift, form)
    return tables.in_file(row_file.build(story, shift, folder, form), row_file.scratch(folder))


def tidy(folder: Path, story: Scenario | None = None, shift: timedelta = timedelta(0)) -> None:
    """Remove the tables in the folder, but for those of the story."""
    if not any(folder.glob("*-*")):
        return
    from respond.lab import row_file
    from respond.lab.row_jobs import FORMS

    forms = FORMS if story is not None and is_large(story) else ()
    row_file.sweep(folder, [row_file.find(story, shift, folder, form) for form in forms if story])


def is_large(story: Scenario) -> bool:
    """Whether the tables are in a file."""
    return story.size > LARGE
