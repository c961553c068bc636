"""SQL of batches and events: a device's chain grows in the same transaction that reads its head."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from abide_rules.events import BatchHeader, check_follows
from abide_server.problems import RefusedError
from abide_server.store.base import EventRow, NewBatch, Standing, StoredBatch

_EVENT = "device, seq, at, kind, service, host, verdict, rule, clause, person, policy_version, period"
_ADD_EVENT = f"INSERT INTO events ({_EVENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_BATCH = "device, first_seq, last_seq, head, raw, received"


def append(db: sqlite3.Connection, batch: NewBatch) -> Standing:
    """Append a batch once; an old one only tells where the chain stands."""
    row = db.execute("SELECT next_seq, head, revoked FROM devices WHERE device = ?", (batch.device,)).fetchone()
    if row is None:
        raise RefusedError("unknown-device", f"{batch.device} is not enrolled here")
    next_seq, head, revoked = row
    if revoked is not None:
        raise RefusedError("revoked-device", f"{batch.device} was revoked")
    if not check_follows(_header(batch), next_seq, head):
        _check_same(db, batch)
        return Standing(False, next_seq - 1, head, _received(db, batch.device))
    db.execute(
        "UPDATE devices SET next_seq = ?, head = ?, seen = ? WHERE device = ?",
        (batch.last_seq + 1, batch.head, batch.received, batch.device),
    )
    db.execute(
        f"INSERT INTO batches ({_BATCH}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        (batch.device, batch.first_seq, batch.last_seq, batch.head, batch.raw, batch.received),
    )
    fields = EventRow.__struct_fields__
    db.executemany(_ADD_EVENT, (tuple(getattr(event, name) for name in fields) for event in batch.rows))
    return Standing(True, batch.last_seq, batch.head, batch.received)


def all_batches(db: sqlite3.Connection, after: tuple[str, int], limit: int) -> list[StoredBatch]:
    """Return up to ``limit`` batches after (device, first_seq), in that order."""
    rows = db.execute(
        f"SELECT {_BATCH} FROM batches WHERE (device, first_seq) > (?, ?) ORDER BY device, first_seq LIMIT ?",  # noqa: S608
        (*after, limit),
    )
    return [StoredBatch(*row) for row in rows]


def latest_events(db: sqlite3.Connection, limit: int) -> tuple[EventRow, ...]:
    """Return the newest events, newest first."""
    rows: Iterator[tuple[object, ...]] = db.execute(
        f"SELECT {_EVENT} FROM events ORDER BY at DESC, device, seq DESC LIMIT ?",  # noqa: S608
        (limit,),
    )
    return tuple(EventRow(*row) for row in rows)  # type: ignore[arg-type]


def _header(batch: NewBatch) -> BatchHeader:
    count = batch.last_seq - batch.first_seq + 1
    return BatchHeader(batch.device, batch.first_seq, count, batch.prev, batch.head, "", "")


def _check_same(db: sqlite3.Connection, batch: NewBatch) -> None:
    """Refuse an old number range whose stored hash differs from the one that comes now."""
    row = db.execute(
        "SELECT head FROM batches WHERE device = ? AND last_seq = ?", (batch.device, batch.last_seq)
    ).fetchone()
    if row is not None and row[0] != batch.head:
        raise RefusedError("fork", f"events up to {batch.last_seq} were accepted with another content")


def _received(db: sqlite3.Connection, device: str) -> int:
    row = db.execute(
        "SELECT received FROM batches WHERE device = ? ORDER BY first_seq DESC LIMIT 1", (device,)
    ).fetchone()
    return int(row[0])
