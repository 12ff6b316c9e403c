"""`respond state purge` and `respond state export`: the people in the state database. Asks no tenant."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from respond.durations import parse_kept
from respond.errors import UsageError
from respond.settings import config_dir, load_settings, state_dir, state_url, tenant_of, tickets_dir
from respond.who_am_i import operator

if TYPE_CHECKING:
    from respond.store.purge import Purged


def purge(*, before: str | None, user: str | None, dry_run: bool, name: str | None, config: str | None) -> int:
    """Delete cases that are older, or everything about one person.

    Raises:
        UsageError: not exactly one of `before` and `user`, or a date that is none.
        Permanent: a run about the person has not ended.
    """
    from respond.store.cases import Store

    if (before is None) == (user is None):
        raise UsageError("state purge: give --before DATE|DURATION or --user UPN|OBJECT-ID, one of them")
    settings, by, now = load_settings(config_dir(config)), operator(name), datetime.now(UTC)
    tenant, folder = tenant_of(settings), state_dir(settings)
    with closing(Store(state_url(settings))) as store:
        from respond.store import purge as purging

        who, left = None, []
        if before is not None:
            moment = _moment(before, now)
            which = purging.old_cases(store.database, tenant, moment)
            if dry_run:
                return _planned(which, "")
            left += purging.delete_pages(tickets_dir(settings), purging.tickets_of(store.database, which))
            done = purging.purge_cases(store.database, tenant, which, by=by, at=now, before=moment)
        else:
            who = purging.identify(store.database, tenant, user or "")
            if dry_run:
                mine, mentions = purging.about(store.database, tenant, who)
                return _planned(mine, f"; {mentions} other rows name this person")
            done = purging.purge_person(store.database, tenant, who, by=by, at=now)
            # First those that go as a whole: what is left is about others.
            left += purging.delete_pages(tickets_dir(settings), done.tickets)
            left += purging.rewrite_pages(tickets_dir(settings), who)
        is_clean = purging.reclaim(store.database)
    _tell(done, folder, is_clean=is_clean)
    for page in dict.fromkeys(left):
        sys.stderr.write(f"respond: {page} still has it: it could not be changed; delete it\n")
    return 1 if left else 0


def export(*, user: str, config: str | None) -> int:
    """Everything about one person, as one JSON document."""
    from respond.store.cases import Store
    from respond.store.subject import data_of

    settings = load_settings(config_dir(config))
    with closing(Store(state_url(settings))) as store:
        found = data_of(store, tenant_of(settings), user)
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


def _moment(text: str, now: datetime) -> datetime:
    try:
        return now - parse_kept(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--before: {text[:40]!r}: write a date (2026-01-31) or a duration (400d)") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _planned(which: list[str], more: str) -> int:
    for case in which:
        sys.stdout.write(f"{case}\n")
    sys.stdout.write(f"would delete {_counted(len(which), 'case')}{more}; nothing was changed\n")
    return 0


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _tell(done: Purged, folder: Path, *, is_clean: bool) -> None:
    gone = f"{_counted(len(done.cases), 'case')}, the records of {_counted(done.runs, 'run')}"
    text = f"the text of {done.entries} entries of the audit log"
    lines = [f"deleted {gone} and {text}; replaced the name in {_counted(done.mentions, 'other row')}"]
    lines += [f"stays there: {one}" for one in done.outside]
    lines += [f"a backup still has it: {file}" for file in sorted(folder.glob("*.schema-*"))]
    if not is_clean:
        lines.append("other processes use the file: deleted pages are still in it; stop them and run this again")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
