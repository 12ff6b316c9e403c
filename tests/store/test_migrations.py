"""The schema of the state database: migrated, adopted, refused, and the same however it came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from respond.errors import UsageError
from respond.store import migrations
from respond.store.cases import Store
from respond.store.database import connect, metadata, open_database
from respond.store.schema import Fit, read_schema
from tests.helpers import postgres
from tests.helpers.command import respond
from tests.helpers.states import base_tables

FOLDER = Path(migrations.__file__).parent


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path / 'state.db'}"
        else:
            yield stack.enter_context(postgres.database(request.getfixturevalue("pg")))


@contextmanager
def opened(url: str, how: Callable[[str], sa.Engine] = open_database) -> Iterator[sa.Engine]:
    engine = how(url)
    yield engine
    engine.dispose()


def differences(engine: sa.Engine) -> list[object]:
    """Between the tables there and those of the code."""
    options = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
    with engine.connect() as db:
        return list(compare_metadata(MigrationContext.configure(db, opts=options), metadata))


def fit(engine: sa.Engine) -> Fit:
    with engine.connect() as db:
        return read_schema(db, metadata).fit


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as db:
        for statement in statements:
            db.exec_driver_sql(statement)


def from_the_future(engine: sa.Engine, *, oldest: str) -> None:
    """As a version writes it that has a table and a column more."""
    run(
        engine,
        "CREATE TABLE respond_forecasts (id TEXT PRIMARY KEY)",
        "ALTER TABLE respond_cases ADD COLUMN mood TEXT DEFAULT 'calm'",
        "UPDATE respond_schema SET version_num = '9999'",
        f"UPDATE respond_schema_properties SET value = '{oldest}'",  # noqa: S608 - a number
    )


def test_the_constants_are_those_of_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(FOLDER))
    assert scripts.get_heads() == [migrations.HEAD]
    assert scripts.get_revision(migrations.HEAD).module.oldest == migrations.OLDEST
    assert all(len(script.revision) == 4 for script in scripts.walk_revisions())


def test_migrations_lead_to_the_tables_of_the_code(url: str) -> None:
    with opened(url, connect) as engine:
        run(engine, "CREATE TABLE respond_cases (id TEXT PRIMARY KEY NOT NULL, tenant TEXT NOT NULL)")
        assert fit(engine) is Fit.OLDER
        with opened(url) as again:
            assert (fit(again), differences(again)) == (Fit.FITS, [])


def test_an_empty_database_gets_the_tables_of_the_code(url: str) -> None:
    with opened(url) as engine:
        assert (fit(engine), differences(engine)) == (Fit.FITS, [])


def test_an_older_program_can_write_what_a_migration_left_usable_for_it(url: str) -> None:
    """A column that it does not know must not be one that every row needs."""
    base = base_tables()
    with opened(url) as engine:
        inspector = sa.inspect(engine)
        needed = [
            f"{name}.{column['name']}"
            for name, table in base.tables.items()
            for column in inspector.get_columns(name)
            if column["name"] not in table.c and not column["nullable"] and column["default"] is None
        ]
    assert migrations.OLDEST > "0001" or needed == []


def test_a_database_from_before_versions_is_adopted_with_its_rows(url: str) -> None:
    with opened(url, connect) as engine:
        base = base_tables()
        with engine.begin() as db:
            base.create_all(db, tables=[base.tables["respond_cases"]])
        run(engine, "INSERT INTO respond_cases VALUES ('DC-A', 'lab', 'u', '2026-01-15T09:40:00Z', '')")
    with closing(Store(url)) as store:
        assert store.has("DC-A")
        assert fit(store.database) is Fit.FITS


def test_processes_that_open_an_older_database_at_once_migrate_it_once(url: str) -> None:
    with opened(url, connect) as engine:
        run(engine, "CREATE TABLE respond_cases (id TEXT PRIMARY KEY NOT NULL, tenant TEXT NOT NULL)")
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(open_database, [url] * 4))
    assert [fit(engine) for engine in engines] == [Fit.FITS] * 4
    for engine in engines:
        engine.dispose()


def test_a_newer_database_that_allows_it_is_used_and_left_as_it_is(url: str) -> None:
    with opened(url) as engine:
        from_the_future(engine, oldest=migrations.HEAD)
    with closing(Store(url)) as store:
        store.claim(tenant="lab", user_id="u", flows=[("key",)], run="r", exclusive=True)
        with store.database.connect() as db:
            assert db.exec_driver_sql("SELECT mood FROM respond_cases").scalar() == "calm"
        assert fit(store.database) is Fit.NEWER_AND_USABLE


def test_a_newer_database_that_does_not_is_refused_in_one_line(url: str) -> None:
    with opened(url) as engine:
        from_the_future(engine, oldest="9998")
    told = (
        "the state database was written by a newer respond "
        rf"\(schema 9999; this one knows {migrations.HEAD}\): upgrade this one"
    )
    with pytest.raises(UsageError, match=told):
        open_database(url)


def test_what_is_missing_is_named(url: str) -> None:
    with opened(url) as engine:
        run(engine, "ALTER TABLE respond_cases DROP COLUMN busy_run", "DROP TABLE respond_later")
    with pytest.raises(UsageError, match=r"lacks respond_cases\.busy_run, respond_later: run `respond state upgrade`"):
        open_database(url)


def test_a_migration_that_fails_leaves_the_database_as_it_was(url: str) -> None:
    with opened(url, connect) as engine:
        run(engine, "CREATE TABLE respond_watches (case_id TEXT NOT NULL)")
        with pytest.raises(UsageError, match="respond_watches lacks its key column number, which cannot be added"):
            open_database(url)
        assert sa.inspect(engine).get_table_names() == ["respond_watches"]


@pytest.mark.parametrize("command", [("cases",), ("freeze",), ("audit", "verify")])
def test_every_command_refuses_a_newer_database_with_exit_2(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with opened(f"sqlite:///{tmp_path / 'state' / 'respond.db'}") as engine:
        from_the_future(engine, oldest="9998")
    ran = respond(*command)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "written by a newer respond (schema 9999" in ran.err


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(UsageError, match=r"state\.url: the file is no SQLite database"):
        open_database(f"sqlite:///{file}")
