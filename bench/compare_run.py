"""Asks every detection and the product about the same stories: over HTTP, in one lab and one event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.compare_detections import Detection
from bench.compare_lab import Lab
from bench.compare_people import Person, labelled
from respond.errors import RespondError, TableMissing
from respond.lab import scenario
from respond.models.report import VerdictKind
from respond.session import Session, open_session
from respond.who import parse_who

if TYPE_CHECKING:
    from respond.clients.logs import Logs

_DAY = timedelta(days=1)


@dataclass
class Seen:
    """What one run over all stories has found.

    Attributes:
        alerted: people, by name of the detection.
        not_run: scenarios without a table that the detection needs, by its name.
        verdicts: the product's; None where it failed.
    """

    people: list[Person] = field(default_factory=list)
    alerted: dict[str, set[Person]] = field(default_factory=lambda: defaultdict(set))
    not_run: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    verdicts: dict[Person, VerdictKind | None] = field(default_factory=dict)


async def run(stories: Sequence[Path], detections: Sequence[Detection], folder: Path, *, product: bool = True) -> Seen:
    """Ask about every story.

    Args:
        stories: scenario directories.
        folder: an empty one, for the state of lab and product.
        product: ask the product too.

    Raises:
        RespondError: a detection failed for another reason than a table that is not there.
    """
    seen = Seen()
    async with AsyncExitStack() as stack:
        lab = stack.enter_context(Lab(folder, stories[0]))
        logs = await stack.enter_async_context(lab.logs())
        session = await stack.enter_async_context(open_session(lab.config, dry_run=True)) if product else None
        for path in stories:
            story = scenario.read(path)
            people = labelled(story)
            seen.people += people
            lab.tell(path)
            await asyncio.gather(*(_ask(logs, detection, path.name, people, seen) for detection in detections))
            if session is not None:
                for person in people:
                    seen.verdicts[person] = await verdict(session, person.upn)
    return seen


async def verdict(session: Session, upn: str) -> VerdictKind | None:
    """The product's, by the way that `respond --user UPN --since 24h --dry-run` goes; None when it fails."""
    try:
        report = await session.respond_to(parse_who(upn), since=_DAY, dry_run=True)
    except RespondError:
        return None
    return report.verdict


async def _ask(
    logs: Logs, detection: Detection, story: str, people: Mapping[Person, frozenset[str]], seen: Seen
) -> None:
    start = None if detection.own_window else datetime.now(UTC) - _DAY
    try:
        rows = await logs.query(detection.text, start=start)
    except TableMissing:
        seen.not_run[detection.name].add(story)
        return
    named = {str(row.get(column) or "").lower() for row in rows for column in ("UserId", "UserPrincipalName")}
    seen.alerted[detection.name] |= {person for person, names in people.items() if names & named}
