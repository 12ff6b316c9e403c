"""`respond --user`: the main job."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from respond.defang import json_text, printable
from respond.durations import parse_duration
from respond.errors import UsageError
from respond.settings import config_dir
from respond.who import parse_who

if TYPE_CHECKING:
    from respond.errors import RespondError
    from respond.models.report import Report


def read_since(text: str | None) -> timedelta | None:
    """The --since option.

    Raises:
        UsageError: not a duration, or no time at all.
    """
    if text is None:
        return None
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--since: {error}") from error
    if length <= timedelta(0):
        raise UsageError("--since: has to be longer than nothing; write 90m, 24h or 7d")
    return length


def answer_for_user(who: str, *, since: str | None, dry_run: bool, as_json: bool, config: str | None) -> int:
    """Run the playbook for one user and print the report; the exit code says what it came to."""
    person, length, directory = parse_who(who), read_since(since), config_dir(config)
    notes: list[str] = []

    async def answer() -> Report:
        from respond.session import open_session

        async with open_session(directory, dry_run=dry_run) as session:
            if dry_run:
                notes.extend(_left_alone(await session.waiting_live_runs()))
            notes.extend(map(_finished, await session.finish_interrupted()))
            report = await session.respond_to(person, since=length, dry_run=dry_run)
            if report.broke:
                again = "; run it again when the service answers" if report.may_pass else ""
                who = report.user.upn or person
                notes.append(f"{who}: the run could not be finished: {report.broke}{again} ({report.case})")
            return report

    from respond.cli.interrupt import leaving_at_once

    try:
        with leaving_at_once(), nullcontext() if as_json else _shown():
            report = asyncio.run(answer())
    finally:
        # Also when this run fails: somebody may have been signed out a moment ago.
        sys.stderr.writelines(f"respond: {printable(' '.join(note.split()))}\n" for note in notes)
    return print_report(report, as_json=as_json)


def _shown() -> AbstractContextManager[None]:
    from respond.console.progress import live_progress

    return live_progress(sys.stderr)


def _left_alone(count: int) -> list[str]:
    runs = "1 interrupted live run waits" if count == 1 else f"{count} interrupted live runs wait"
    return [f"{runs} for the next `respond` that is not a dry run"] if count else []


def _finished(other: Report | RespondError) -> str:
    from respond.models.report import Report

    if isinstance(other, Report):
        return f"finished an interrupted run: {other.case}, {other.user.upn}: {other.outcome}"
    return f"an interrupted run ended: {other.message}"


def print_report(report: Report, *, as_json: bool) -> int:
    """Print a report; the exit code says what it came to."""
    from respond.models.outcomes import exit_code

    if as_json:
        sys.stdout.write(json_text(report.model_dump_json(by_alias=True, indent=2)) + "\n")
    else:
        from respond.console.page import print_page

        print_page(report)
    return exit_code(report)
