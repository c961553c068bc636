"""The store in one SQLite file: a writer thread with group commit, readers beside it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from abide_rules.errors import ConfigurationError, TransportError
from abide_rules.i18n import _
from abide_rules.wire import MAX_BATCH_BYTES, Coverage
from abide_server.store import chains, enrolment, fleet
from abide_server.store.base import (
    Act,
    Device,
    EventRow,
    InForceRow,
    NewBatch,
    NewDevice,
    Release,
    Standing,
    StoredBatch,
    Token,
)
from abide_server.store.reader import Reader
from abide_server.store.writer import Writer

EXPORT_PAGE_BATCHES = 64
MIN_FREE_BYTES = 8 * MAX_BATCH_BYTES


class SqliteStore:
    """Implements :class:`abide_server.store.base.Store`. Raises ConfigurationError when there is no database."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise ConfigurationError(
                _("there is no database at {path}", path=path), advice=_("Make one with: abide-server init")
            )
        self._path = path
        self._writer = Writer(path)
        self._reader = Reader(path)
        self._watcher = Reader(path, threads=1)

    async def close(self) -> None:
        """Finish all writes and let go of the files."""
        await self._writer.close()
        await self._reader.close()
        await self._watcher.close()

    async def ready(self) -> None:
        """Return if reads and writes work, and will for a while."""
        await self._reader.run(lambda db: db.execute("SELECT count(*) FROM tokens").fetchone())
        free = await self._reader.run(lambda _: shutil.disk_usage(self._path.parent).free)
        if free < MIN_FREE_BYTES:
            raise TransportError(f"the disk is full: {free} bytes are free")
        await self._writer.run(_write_something if self._writer.is_failing else lambda _: None)

    async def changes(self) -> int:
        """Return a number that differs whenever something was committed (comparable on one connection only)."""
        return await self._watcher.run(lambda db: int(db.execute("PRAGMA data_version").fetchone()[0]))

    async def add_token(self, token: Token, act: Act) -> None:
        """Keep a new enrolment token."""
        await self._writer.run(lambda db: enrolment.add_token(db, token, act))

    async def token(self, token: str) -> Token | None:
        """Return a token by its id."""
        return await self._reader.run(lambda db: enrolment.get_token(db, token))

    async def enrol(self, new: NewDevice, now: int) -> Device:
        """Register a device and use its token once."""
        return await self._writer.run(lambda db: enrolment.enrol(db, new, now))

    async def device(self, device: str) -> Device | None:
        """Return a device by its id."""
        return await self._reader.run(lambda db: enrolment.get_device(db, device))

    async def devices(self) -> tuple[Device, ...]:
        """Return all devices, in order of enrolment."""
        return await self._reader.run(enrolment.all_devices)

    async def revoked(self) -> frozenset[str]:
        """Return the ids of all revoked devices."""
        query = "SELECT device FROM devices WHERE revoked IS NOT NULL"
        return await self._reader.run(lambda db: frozenset(row[0] for row in db.execute(query)))

    async def revoke(self, device: str, act: Act) -> bool:
        """Revoke a device; False when there is nothing to revoke."""
        return await self._writer.run(lambda db: enrolment.revoke(db, device, act))

    async def append(self, batch: NewBatch) -> Standing:
        """Append a batch to its device's chain, once."""
        return await self._writer.run(lambda db: chains.append(db, batch))

    async def batches(self) -> AsyncIterator[StoredBatch]:
        """Yield every batch, by device and first_seq."""
        after = ("", 0)
        while page := await self._page(after):
            for batch in page:
                yield batch
            after = (page[-1].device, page[-1].first_seq)

    async def latest_events(self, limit: int) -> tuple[EventRow, ...]:
        """Return the newest events, newest first."""
        return await self._reader.run(lambda db: chains.latest_events(db, limit))

    async def count_events(self) -> int:
        """Return how many events are stored."""
        return await self._reader.run(lambda db: int(db.execute("SELECT count(*) FROM events").fetchone()[0]))

    async def add_release(self, release: Release) -> None:
        """Take a release number and keep the source."""
        await self._writer.run(lambda db: fleet.add_release(db, release))

    async def mark_published(self, version: int, timestamp_version: int, act: Act) -> None:
        """Note that the repository carries a release."""
        await self._writer.run(lambda db: fleet.mark_published(db, version, timestamp_version, act))

    async def releases(self) -> tuple[Release, ...]:
        """Return all published releases, newest first."""
        return await self._reader.run(fleet.releases)

    async def release(self, version: int) -> Release | None:
        """Return one published release."""
        return await self._reader.run(lambda db: fleet.release(db, version))

    async def last_release(self) -> int:
        """Return the highest release number that was ever taken, 0 for none."""
        return await self._reader.run(fleet.last_release)

    async def set_in_force(self, device: str, browser: str, version: int, since: int, now: int) -> None:
        """Note that a browser (or the agent) of a device enforces a release."""
        await self._writer.run(lambda db: fleet.set_in_force(db, device, browser, version, since, now))

    async def set_coverage(self, device: str, coverage: Coverage, now: int) -> None:
        """Note which browsers of a device are guarded now, and what is wrong there."""
        await self._writer.run(lambda db: fleet.set_coverage(db, device, coverage, now))

    async def set_seen(self, device: str, now: int, agent_version: str = "", *, guarded: bool = True) -> None:
        """Note that a device spoke, or went away."""
        await self._writer.run(lambda db: fleet.set_seen(db, device, now, agent_version, guarded))

    async def in_force(self) -> tuple[InForceRow, ...]:
        """Return what is in force everywhere."""
        return await self._reader.run(fleet.in_force)

    async def record(self, act: Act) -> None:
        """Write an administrative act into the audit."""
        await self._writer.run(lambda db: enrolment.add_act(db, act))

    async def acts(self, limit: int) -> tuple[Act, ...]:
        """Return the newest administrative acts, newest first."""
        query = "SELECT at, actor, action, subject, note FROM audit ORDER BY id DESC LIMIT ?"
        return await self._reader.run(lambda db: tuple(Act(*row) for row in db.execute(query, (limit,))))

    async def _page(self, after: tuple[str, int]) -> list[StoredBatch]:
        return await self._reader.run(lambda db: chains.all_batches(db, after, EXPORT_PAGE_BATCHES))


def _write_something(db: sqlite3.Connection) -> None:
    """Write a page; ``user_version`` means nothing to this database."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    db.execute(f"PRAGMA user_version = {(version + 1) % 1000}")
