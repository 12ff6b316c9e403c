"""`respond --user`: the main job."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

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

    async def answer() -> tuple[list[Report | RespondError], Report]:
        from respond.session import open_session

        async with open_session(directory) as session:
            left_over = await session.finish_interrupted()
            return left_over, await session.respond_to(person, since=length, dry_run=dry_run)

    from respond.console.progress import live_progress

    with nullcontext() if as_json else live_progress(sys.stderr):
        left_over, report = asyncio.run(answer())
    return _print(left_over, report, as_json=as_json)


def _print(left_over: list[Report | RespondError], report: Report, *, as_json: bool) -> int:
    from respond.console.page import print_page
    from respond.models.outcomes import exit_code
    from respond.models.report import Report

    for other in left_over:
        if isinstance(other, Report):
            line = f"finished an interrupted run: {other.case}, {other.user.upn}: {other.outcome}"
        else:
            line = f"an interrupted run ended: {other.message}"
        sys.stderr.write(f"respond: {line}\n")
    if as_json:
        sys.stdout.write(report.model_dump_json(by_alias=True, indent=2) + "\n")
    else:
        print_page(report)
    return exit_code(report)
