"""`python -m bench.compare`: our verdicts beside public detections, on the same people of the same scenarios."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import compare_detections
from bench.compare_detections import Detection
from bench.compare_run import Seen, run
from bench.compare_score import Alerts, markdown
from respond.errors import RespondError
from respond.lab import scenario
from respond.models.report import VerdictKind

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- compare:begin -->", "<!-- compare:end -->"
_BETWEEN = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)


def ours(seen: Seen) -> list[Alerts]:
    """The product's rows; none when it was not asked."""
    rows = {
        "respond, contained": {VerdictKind.MALICIOUS},
        "respond, contained or asked": {VerdictKind.MALICIOUS, VerdictKind.SUSPICIOUS},
    }
    judged = seen.verdicts.items()
    return [
        Alerts(title, "", {person for person, kind in judged if kind in kinds})
        for title, kinds in rows.items()
        if judged
    ]


def theirs(seen: Seen, detections: Sequence[Detection]) -> list[Alerts]:
    """One row a detection."""
    return [
        Alerts(found.title, found.project, seen.alerted[found.name], seen.not_run[found.name]) for found in detections
    ]


def details(seen: Seen, rows: Sequence[Alerts]) -> str:
    """Who is missed and who is alerted on without need, row by row."""
    lines = []
    for row in rows:
        lines.append(f"{row.source or 'respond'}: {row.title}")
        for person in seen.people:
            if (person.label is VerdictKind.MALICIOUS) != (person in row.people):
                what = "missed " if person.label is VerdictKind.MALICIOUS else "alerted"
                lines.append(f"  {what} {person.label:<11} {person.scenario}: {person.upn}")
    return "\n".join(lines)


def put(document: str, table: str) -> str:
    """The document with the table between its two marks.

    Raises:
        ValueError: the marks are not there.
    """
    if not _BETWEEN.search(document):
        raise ValueError(f"no lines {BEGIN} and {END}")
    return _BETWEEN.sub(lambda _: f"\n{table}\n\n", document, count=1)


def main() -> int:
    """Compare, print the table, and keep the README's in step with it."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="directory or name; default: all that ship")
    parser.add_argument("--only", choices=("detections", "respond"), help="ask only one side")
    parser.add_argument("--details", action="store_true", help="say who is missed, and who alerted on without need")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--check", action="store_true", help="exit 1 if README.md has another table")
    given = parser.parse_args()
    if (given.write or given.check) and (given.only or given.scenarios):
        parser.error("--write and --check are for the whole table")

    for name in [name for name in os.environ if name.startswith("RESPOND_")]:
        del os.environ[name]  # a setting of this machine must not change the figures
    detections = compare_detections.every() if given.only != "respond" else []
    try:
        stories = [scenario.find(name) for name in given.scenarios or [name for name, _, _ in scenario.shipped()]]
        with TemporaryDirectory(prefix="respond-compare-", ignore_cleanup_errors=True) as folder:
            seen = asyncio.run(run(stories, detections, Path(folder), product=given.only != "detections"))
    except RespondError as error:
        parser.exit(2, f"compare: {error.message}\n")
    table = markdown(seen.people, ours(seen), theirs(seen, detections))
    sys.stdout.write(f"{table}\n")
    if given.details:
        sys.stdout.write(f"\n{details(seen, [*ours(seen), *theirs(seen, detections)])}\n")
    if failed := [f"{person.upn} ({person.scenario})" for person, kind in seen.verdicts.items() if kind is None]:
        sys.stderr.write(f"compare: respond failed on {', '.join(failed)}\n")
        return 1
    return keep(README, table, write=given.write) if given.write or given.check else 0


def keep(readme: Path, table: str, *, write: bool) -> int:
    """Write the table into a file, or only look whether it is there; the exit code."""
    before = readme.read_text(encoding="utf-8")
    try:
        after = put(before, table)
    except ValueError as error:
        sys.stderr.write(f"compare: {readme.name}: {error}\n")
        return 1
    if write:
        readme.write_text(after, encoding="utf-8")
    elif before != after:
        sys.stderr.write(f"compare: {readme.name} has another table; write this one with --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
