"""The spool's database: one SQLite file that is durable, bounded, and never too full to be emptied.

New events may use ``max_bytes - reserve_bytes`` (SQLite's ``max_page_count``); upkeep may use all of ``max_bytes``. When
the *disk* is full even a delete fails, so a file of ``reserve_bytes`` lies beside the database and is given up for it.

SQLite goes on in a file that was deleted or replaced, and what it writes there is gone at the end. :meth:`Database.rebuild`
then copies everything back under the name. The copy is complete before it becomes ``….rebuilt``, and a ``….rebuilt`` is put
in place at each start, so that a crash in between loses nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.files import sync_folder, write_atomic
from abide_rules.i18n import _

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE_BYTES = 4096
WAL_PAGES = 64
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,          -- without gaps
    line BLOB NOT NULL,               -- the exact bytes that are sent
    prev BLOB NOT NULL,               -- chain hash before this event
    observation TEXT UNIQUE,          -- the extension's id: the same observation is recorded once
    receipted INTEGER NOT NULL,       -- ms, 0 = the server has not confirmed it
    account TEXT NOT NULL DEFAULT ''  -- who may read it on this laptop, empty = everybody
);
CREATE INDEX waiting ON events (seq) WHERE receipted = 0;
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_seq INTEGER NOT NULL, head BLOB NOT NULL,                   -- of the newest event ever recorded
    sending_from INTEGER NOT NULL, sending_to INTEGER NOT NULL,      -- the batch under way, 0 = none
    dropped INTEGER NOT NULL, dropped_at INTEGER NOT NULL            -- observations that found no room, since when
);
INSERT INTO state VALUES (1, 0, zeroblob(32), 0, 0, 0, 0);
"""
UPGRADES = {1: "ALTER TABLE events ADD COLUMN account TEXT NOT NULL DEFAULT '';"}
"""What leads from a version of the schema to the next."""


FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # on a full disk SQLite says either


class SpoolError(AbideError):
    """The spool cannot be read or written now; nothing was changed."""


class SpoolFullError(SpoolError):
    """There is no room for a new event, or the disk fails."""


class Database:
    """The open file; used from one thread at a time."""

    def __init__(self, path: Path, max_bytes: int, reserve_bytes: int) -> None:
        self._path = path
        self._reserve_path = path.with_name(f"{path.name}.reserve")
        self._rebuilt_path = path.with_name(f"{path.name}.rebuilt")
        self._max_pages = max_bytes // PAGE_BYTES
        self._event_pages = (max_bytes - reserve_bytes) // PAGE_BYTES
        self._reserve_bytes = reserve_bytes
        try:
            self._db = self._open_whatever_it_costs()
        except (sqlite3.DatabaseError, OSError) as error:
            raise ConfigurationError(
                _("the spool {path} cannot be opened: {reason}", path=path, reason=error),
                advice=_("Free disk space or restore the file; deleting it loses events, and the server will say so."),
            ) from error
        self._is_open = True
        self._fill_reserve()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The names that must lead to the open files: the database, its write-ahead log and that log's index."""
        return (self._path, *_logs_of(self._path))

    def close(self) -> None:
        """Close the file; everything committed is durable anyway."""
        self._db.close()

    def rebuild(self) -> None:
        """Write everything that is in the open files under their names again and go on there. Raises OSError."""
        try:
            if self._is_open:
                self._copy()
                self._is_open = False
                self._db.close()  # removes the logs by their names, so not after the new ones are there
            self._db = self._open()
            self._is_open = True
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        self._fill_reserve()

    def _copy(self) -> None:
        copy = self._path.with_name(f"{self._path.name}.copy")
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        try:
            self._db.execute("VACUUM INTO ?", (str(copy),))
            _sync(copy)
            copy.replace(self._rebuilt_path)
        finally:
            copy.unlink(missing_ok=True)
        sync_folder(self._path.parent)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises SpoolError."""
        with _our_errors():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def adding(self) -> Iterator[sqlite3.Connection]:
        """Do one transaction within the room for events. Raises SpoolError, with nothing changed."""
        with self._transaction(self._event_pages) as db:
            yield db

    def upkeep(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Do one transaction that may use the reserve. Raises SpoolError when even that is used up."""
        try:
            with self._transaction(self._max_pages) as db:
                return change(db)
        except SpoolFullError:
            self._give_up_reserve()
            with _our_errors():
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            with self._transaction(self._max_pages) as db:
                return change(db)
        finally:
            self._fill_reserve()

    @contextmanager
    def _transaction(self, pages: int) -> Iterator[sqlite3.Connection]:
        with _our_errors():
            self._db.execute(f"PRAGMA max_page_count={pages}").fetchall()
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _open_whatever_it_costs(self) -> sqlite3.Connection:
        try:
            return self._open()
        except (sqlite3.OperationalError, OSError):  # also opening needs room, for the files beside the database
            self._give_up_reserve()
            return self._open()

    def _give_up_reserve(self) -> None:
        log.warning("the disk is full: giving up the spool's reserve")
        with contextlib.suppress(OSError):
            self._reserve_path.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        if self._rebuilt_path.exists():
            for log_path in _logs_of(self._path):
                log_path.unlink(missing_ok=True)  # it belongs to another database
            if self._path.is_dir() and not self._path.is_symlink():
                self._path.rename(self._path.with_name(f"{self._path.name}.folder"))
            self._rebuilt_path.replace(self._path)
            sync_folder(self._path.parent)
        if self._reserve_path.exists() and not (self._path.exists() and self._path.stat().st_size):
            raise sqlite3.DatabaseError("it was used before and is empty now")
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in (
            f"page_size={PAGE_BYTES}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={WAL_PAGES}",
            f"journal_size_limit={WAL_PAGES * PAGE_BYTES}",
            "cache_size=-256",
        ):
            db.execute(f"PRAGMA {pragma}").fetchall()
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("it is damaged")
        [version] = db.execute("PRAGMA user_version").fetchone()
        steps = SCHEMA if version == 0 else "".join(UPGRADES[step] for step in range(version, SCHEMA_VERSION))
        if steps:
            db.executescript(f"BEGIN; {steps} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        return db

    def _fill_reserve(self) -> None:
        try:
            if not self._reserve_path.exists():
                write_atomic(self._reserve_path, bytes(self._reserve_bytes))
        except OSError as error:
            log.warning("no disk space for the spool's reserve: %s", error)


def _logs_of(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = SpoolFullError if code in FULL_CODES else SpoolError
        raise kind(
            _("the spool cannot be written: {reason}", reason=error),
            advice=_("Free disk space or restore the file; deleting it loses events, and the server will say so."),
        ) from error
