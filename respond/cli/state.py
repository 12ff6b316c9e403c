"""`respond state …`: the schema of the state database, and the people in it. Asks no tenant."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from respond import tenants
from respond.errors import UsageError
from respond.settings import Settings, config_dir, load_settings, load_tenants, state_url

if TYPE_CHECKING:
    import sqlalchemy as sa

    from respond.store.inspection import Inspection


def check(*, as_json: bool, config: str | None) -> int:
    """Whether each state database fits this program; the worst exit code of them."""
    from respond.store.inspection import inspect

    codes: list[int] = []
    told: list[dict[str, object]] = []
    for name, url in _urls(config).items():
        if _is_not_there(url):
            told.append({"database": name, "fit": "absent"})
            _say(as_json, f"{name}: no state database yet; the first command makes it")
            continue
        with _connected(url) as database:
            found = inspect(database)
        codes.append(found.code)
        told.append(_as_json(name, found))
        for line in _lines(found):
            _say(as_json, f"{name}: {line}")
    if as_json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return max(codes, default=0)


def upgrade(*, config: str | None) -> int:
    """Migrate each state database, and add tables and columns that are missing. A SQLite file is backed up first.

    Raises:
        UsageError: it is newer than this program, or cannot be mended.
    """
    from respond.store import migrations
    from respond.store.database import metadata, writing
    from respond.store.schema import Fit, bring_up_to_date, read_schema, repair

    for name, url in _urls(config).items():
        with _connected(url) as database:
            with database.connect() as db:
                found = read_schema(db, metadata)
            if found.fit in (Fit.FITS, Fit.NEWER_AND_USABLE):
                sys.stdout.write(f"{name}: {found.told}; nothing to do\n")
                _let_it_shrink(database)
                continue
            kept = _back_up(url, found.revision or "unversioned") if found.needs_upgrade else ""
            with writing(database, "schema") as db:
                added = repair(db, metadata) if found.fit is Fit.DAMAGED else []
                before = bring_up_to_date(db, metadata)
            _let_it_shrink(database)
        what = f"added {', '.join(added)}" if added else f"schema {before.revision or 'without a version'}"
        done = what if added else f"{what} -> {migrations.HEAD}"
        sys.stdout.write(f"{name}: {done}{f'; the state before is in {kept}' if kept else ''}\n")
    return 0


def _let_it_shrink(database: sa.Engine) -> None:
    """Rewrite a SQLite file of an earlier version once, so that it gives deleted pages back; not while it is used."""
    from respond.store.purge import reclaim

    if database.dialect.name == "sqlite":
        with database.connect() as db:
            grows_only = db.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 0
        if grows_only:
            reclaim(database)


def _urls(config: str | None) -> dict[str, str]:
    """Each state database once, by a name without its password."""
    directory = config_dir(config)
    several = {} if tenants.chosen() else load_tenants(directory)
    settings: list[Settings] = list(several.values()) or [load_settings(directory)]
    return {named(url): url for url in dict.fromkeys(state_url(one) for one in settings)}


def named(url: str) -> str:
    """A database without its password."""
    if url.startswith("sqlite"):
        return url.removeprefix("sqlite:///")
    from sqlalchemy import make_url

    found = make_url(url)
    return f"{found.host or 'local'}/{found.database}"


def _is_not_there(url: str) -> bool:
    return url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).is_file()


@contextmanager
def _connected(url: str) -> Iterator[sa.Engine]:
    from sqlalchemy.exc import DBAPIError

    from respond.store.database import connect

    database = connect(url)
    try:
        yield database
    except DBAPIError as error:
        raise UsageError(f"state.url: the state database cannot be opened: {error.orig}") from error
    finally:
        database.dispose()


def _lines(found: Inspection) -> list[str]:
    count = sum(found.documents.values())
    lines = [
        found.schema.told,
        f"{count} stored documents" + (f", {found.newer} of a newer version" * bool(found.newer)),
    ]
    if found.flaw:
        lines.append(f"the file is damaged: {found.flaw}; restore a backup")
    if found.schema.needs_upgrade:
        lines.append("run `respond state upgrade`")
    return [*lines, *(f"unreadable: {one}" for one in found.unreadable)]


def _as_json(name: str, found: Inspection) -> dict[str, object]:
    return {
        "database": name,
        "fit": found.schema.fit.value,
        "schema": found.schema.revision,
        "missing": found.schema.missing,
        "documents": found.documents,
        "newer_documents": found.newer,
        "unreadable": found.unreadable,
        "flaw": found.flaw,
    }


def _say(as_json: bool, line: str) -> None:
    if not as_json:
        from respond.defang import printable

        sys.stdout.write(printable(line) + "\n")


def _back_up(url: str, revision: str) -> str:
    """Copy a SQLite file to one beside it and return its path. Back up PostgreSQL with its own tools."""
    if not url.startswith("sqlite"):
        return ""
    file = Path(url.removeprefix("sqlite:///"))
    copy = file.with_name(f"{file.name}.schema-{revision}")
    number = 1
    while copy.exists():
        number += 1
        copy = file.with_name(f"{file.name}.schema-{revision}-{number}")
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)
    return str(copy)
