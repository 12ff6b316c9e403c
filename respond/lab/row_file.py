"""The tables of a large story as a DuckDB file beside the state: built once, then opened by every lab that tells it.

Its name says which files, which shift and which columns it was made from, so it is never out of date: it is there or
it is not. That it is there also says that every row of the story was checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from respond.errors import UsageError
from respond.lab import tables
from respond.lab.kql_functions import MACROS
from respond.lab.row_jobs import FORMS, jobs_for
from respond.lab.row_workers import RowWorkers

if TYPE_CHECKING:
    from respond.lab.scenario import Scenario

_FORMAT = 1
"""To be raised when the same rows would be written in another way."""


def find(story: Scenario, shift: timedelta, folder: Path, form: str) -> Path:
    """Where this form of the story's rows is, once it is built."""
    import duckdb

    made_of = (_FORMAT, duckdb.__version__, MACROS, story.digest, shift.total_seconds(), form, FORMS[form]())
    return folder / f"rows-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}.duckdb"


def build(story: Scenario, shift: timedelta, folder: Path, form: str) -> Path:
    """Check every row and write the tables, unless the file is there.

    Raises:
        UsageError: the first mistake in a row, or the file cannot be written; nothing is left behind.
    """
    import duckdb

    path = find(story, shift, folder, form)
    if path.is_file():
        return path
    try:
        with _scaffold(folder) as temporary:
            _fill(story, shift, form, temporary)
            (temporary / "rows.duckdb").replace(path)
    except (OSError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{folder}: the lab cannot keep the story's rows there ({reason}); choose another state.dir"
        ) from error
    return path


def sweep(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove files of other stories and what killed labs have left. Labs that have a file open keep what they have."""
    for path in folder.glob("rows-*.duckdb"):
        if path not in keep:
            path.unlink(missing_ok=True)
    for path in folder.glob("scratch-*"):
        if not _is_alive(path.name.rpartition("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


def scratch(folder: Path) -> Path:
    """A directory of this process, not made yet; `sweep` removes it when the process is gone."""
    return folder / f"scratch-{os.urandom(4).hex()}-{os.getpid()}"


@contextmanager
def _scaffold(folder: Path) -> Iterator[Path]:
    temporary = scratch(folder)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(story: Scenario, shift: timedelta, form: str, temporary: Path) -> None:
    # the workspace is built first, and with it the tables are checked that only other forms have
    files = [file for file in story.tables.values() if form == "workspace" or file.table in FORMS[form]()]
    jobs = (job for file in files for job in jobs_for(file, form, shift, temporary))
    with tables.new_file(temporary / "rows.duckdb", form, story) as con, RowWorkers() as workers:
        for job in workers.run(jobs):
            if job.out:
                tables.insert(con, job)
                Path(job.out).unlink()


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        return True
    return True
