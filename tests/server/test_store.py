"""The store: one schema, group commit, and jobs that cannot spoil each other."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from abide_rules.errors import ConfigurationError, TransportError
from abide_server.store.base import Act, Release
from abide_server.store.connection import connect
from abide_server.store.migrate import HEAD, MIGRATIONS, migrate
from abide_server.store.schema import metadata
from abide_server.store.sqlite import SqliteStore
from abide_server.store.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "abide.sqlite3")
    return tmp_path / "abide.sqlite3"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    made = Writer(path)
    yield made
    await made.close()


def test_the_migrations_make_exactly_the_tables_of_the_schema(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_that_commands_look_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrating_twice_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    migrate(path)
    assert path.read_bytes() == before


def test_a_database_of_the_first_version_keeps_its_rows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("ALTER TABLE in_force DROP COLUMN forced")
        old.execute("ALTER TABLE devices DROP COLUMN problems")
        old.execute("UPDATE alembic_version SET version_num = '0001'")
        old.execute("INSERT INTO in_force VALUES ('d', 'chromium', 3, 1, 2, 1, '140', '0.1.0')")
    migrate(path)
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("SELECT device, version, forced FROM in_force").fetchall() == [("d", 3, 0)]


def test_without_a_database_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        SqliteStore(tmp_path / "nowhere.sqlite3")


def test_every_commit_is_synced_to_the_disk(path: Path) -> None:
    connection = connect(path)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def _insert(db: sqlite3.Connection, version: int) -> None:
    db.execute(
        "INSERT INTO releases (version, made, actor, note, name, source) VALUES (?, 0, '', '', '', '')", (version,)
    )


async def test_a_job_that_fails_takes_back_its_own_writes_only(writer: Writer, path: Path) -> None:
    def half(db: sqlite3.Connection) -> None:
        _insert(db, 2)
        raise ValueError("on purpose")

    ended = await asyncio.gather(
        writer.run(lambda db: _insert(db, 1)),
        writer.run(half),
        writer.run(lambda db: _insert(db, 3)),
        return_exceptions=True,
    )
    assert [type(result) for result in ended] == [type(None), ValueError, type(None)]
    with connect(path, read_only=True) as connection:
        assert connection.execute("SELECT version FROM releases ORDER BY version").fetchall() == [(1,), (3,)]
    connection.close()


async def test_jobs_that_wait_share_one_commit(writer: Writer) -> None:
    commits: list[str] = []
    writer._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(*(writer.run(lambda db, n=n: _insert(db, n)) for n in range(1, 201)))  # type: ignore[misc]
    assert 1 <= len(commits) < 100


async def test_what_cannot_be_committed_is_told_to_everybody(writer: Writer) -> None:
    def orphan(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO in_force (device, browser, version, since, seen, guarded) VALUES ('x', '', 1, 1, 1, 1)")

    with pytest.raises(TransportError, match="cannot write now"):
        await writer.run(orphan)
    await writer.run(lambda db: _insert(db, 1))


async def test_after_close_nothing_is_accepted(path: Path) -> None:
    writer = Writer(path)
    await writer.close()
    with pytest.raises(TransportError):
        await writer.run(lambda _: None)


async def test_close_finishes_what_waits(path: Path) -> None:
    writer = Writer(path)
    jobs = [asyncio.create_task(writer.run(lambda db, n=n: _insert(db, n))) for n in range(1, 51)]  # type: ignore[misc]  # noqa: TID251
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*jobs)
    with connect(path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM releases").fetchone() == (50,)
    connection.close()


async def test_a_release_counts_only_after_it_was_published(path: Path) -> None:
    store = SqliteStore(path)
    await store.add_release(Release(1, 10, "anna", "", "policy.yaml", "text"))
    assert (await store.releases(), await store.release(1), await store.last_release()) == ((), None, 1)
    await store.mark_published(1, 5, Act(20, "anna", "publish"))
    assert [(r.version, r.published, r.timestamp_version) for r in await store.releases()] == [(1, 20, 5)]
    await store.close()


async def test_changes_by_another_process_are_noticed(path: Path) -> None:
    store = SqliteStore(path)
    before = await store.changes()
    assert await store.changes() == before
    other = connect(path)
    _insert(other, 1)
    other.close()
    after = {await store.changes(), *await asyncio.gather(*(store.changes() for _ in range(20)))}
    assert len(after) == 1
    assert before not in after
    await store.close()
