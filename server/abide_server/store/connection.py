"""How SQLite is opened: WAL, every commit synced to the disk, foreign keys on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from abide_rules.errors import TransportError
from abide_rules.i18n import _

BUSY_TIMEOUT_S = 10.0


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a database without implicit transactions, for use by one thread at a time. Raises TransportError."""
    try:
        return _connect(path, read_only)
    except sqlite3.Error as error:
        raise TransportError(
            _("the database {path} cannot be opened: {reason}", path=path, reason=error),
            advice=_("Free disk space, or restore it from a backup."),
        ) from error


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection
