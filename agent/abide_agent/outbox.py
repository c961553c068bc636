"""The sending side of the spool: which events go into the next batch, and what a receipt allows.

A batch, once chosen, keeps its bounds until its receipt (also over a restart), so that a batch whose receipt was lost is
sent again as the same bytes and the server recognises it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from abide_agent.spool_db import Database
from abide_rules.errors import BadDataError
from abide_rules.events import chain
from abide_rules.wire import MAX_BATCH_BYTES, MAX_BATCH_EVENTS

HEADER_ROOM_BYTES = 4_096


class Outgoing(msgspec.Struct, frozen=True):
    """Encoded events from ``first_seq`` on; ``prev`` is the chain hash before them (hex)."""

    first_seq: int
    prev: str
    lines: tuple[bytes, ...]

    @property
    def last_seq(self) -> int:
        """Sequence number of the last event."""
        return self.first_seq + len(self.lines) - 1


class Outbox:
    """Chooses batches and marks what was received; used from the spool's thread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def next_batch(self, max_events: int = MAX_BATCH_EVENTS) -> Outgoing | None:
        """Return the batch under way, else start the next one, else None when nothing waits."""
        return self._db.upkeep(lambda db: _under_way(db) or _start(db, _first_waiting(db), max_events))

    def receive(self, last_seq: int, head: str, now_ms: int) -> None:
        """Mark everything up to ``last_seq`` as received by the server, whose chain hash there is ``head``.

        Raises BadDataError, with nothing changed, when our chain has another hash there.
        """

        def change(db: sqlite3.Connection) -> None:
            if _head_at(db, last_seq) != head:
                raise BadDataError(f"the receipt is for another event {last_seq} than ours")
            db.execute("UPDATE events SET receipted = ? WHERE receipted = 0 AND seq <= ?", (now_ms, last_seq))
            _set_under_way(db, 0, 0)

        self._db.upkeep(change)

    def rewind(self, first_seq: int, max_events: int = MAX_BATCH_EVENTS) -> None:
        """Start the next batch at ``first_seq``, because the server lacks the events from there on.

        Raises BadDataError when this device does not have them (any more).
        """

        def change(db: sqlite3.Connection) -> None:
            if _start(db, first_seq, max_events) is None:
                raise BadDataError(
                    f"the server asks for event {first_seq}, which is not on this device any more", code="sync/gap"
                )

        self._db.upkeep(change)

    def split(self) -> None:
        """Halve the batch under way, because the server found it too large."""

        def change(db: sqlite3.Connection) -> None:
            batch = _under_way(db)
            if batch is not None:
                _set_under_way(db, batch.first_seq, batch.first_seq + (len(batch.lines) - 1) // 2)

        self._db.upkeep(change)


def _first_waiting(db: sqlite3.Connection) -> int:
    return db.execute("SELECT min(seq) FROM events WHERE receipted = 0").fetchone()[0] or 0


def _under_way(db: sqlite3.Connection) -> Outgoing | None:
    first, last = db.execute("SELECT sending_from, sending_to FROM state").fetchone()
    return _read(db, first, last - first + 1) if first else None


def _start(db: sqlite3.Connection, first_seq: int, max_events: int) -> Outgoing | None:
    batch = _read(db, first_seq, max_events)
    if batch is not None:
        _set_under_way(db, batch.first_seq, batch.last_seq)
    return batch


def _set_under_way(db: sqlite3.Connection, first: int, last: int) -> None:
    db.execute("UPDATE state SET sending_from = ?, sending_to = ?", (first, last))


def _read(db: sqlite3.Connection, first_seq: int, most: int) -> Outgoing | None:
    """Return events from ``first_seq`` on, as many as fit a batch, or None if the first is not there."""
    sql = "SELECT seq, line, prev FROM events WHERE seq >= ? ORDER BY seq LIMIT ?"
    rows = db.execute(sql, (first_seq, most)).fetchall()
    if not rows or rows[0][0] != first_seq:
        return None
    lines = _fitting([line for _, line, _ in rows])
    return Outgoing(first_seq, rows[0][2].hex(), lines)


def _fitting(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    size, fitting = HEADER_ROOM_BYTES, []
    for line in lines:
        size += len(line) + 1
        if size > MAX_BATCH_BYTES:
            break
        fitting.append(line)
    return tuple(fitting)


def _head_at(db: sqlite3.Connection, seq: int) -> str:
    """Return the chain hash after event ``seq`` (hex), or empty when the event is not here."""
    row = db.execute("SELECT line, prev FROM events WHERE seq = ?", (seq,)).fetchone()
    return chain(row[1].hex(), (row[0],)) if row else ""
