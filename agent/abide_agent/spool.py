"""The spool: every event from the moment it is recorded until 14 days after its receipt.

``append`` returns when the events are on disk (WAL, ``synchronous=FULL``). Numbers have no gaps, each row keeps the chain
hash before it. When there is no room, the oldest receipted events make place; if that does not help, observations are
counted durably, and one ``dropped`` event stands for them as soon as there is room.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from abide_agent.spool_db import Database, SpoolFullError
from abide_rules.events import Event, chain
from abide_rules.wire import MAX_EVENT_BYTES

DAY_MS = 86_400_000
EVICT_EVENTS = 500
NOBODY = "-"
"""The account of what is counted: it is kept for nobody, not even here."""


class Draft(msgspec.Struct, frozen=True):
    """An event that has no number yet, and the id under which it was observed (empty: none, always recorded).

    ``account`` is who may read it on this laptop (empty: everybody); it is not sent.
    """

    observation: str
    event: Event
    account: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A recorded event and whether the server confirmed it."""

    event: Event
    acknowledged: bool


class Counts(msgspec.Struct, frozen=True):
    """How many events wait for a receipt, how many were ever recorded, and how many observations found no room."""

    waiting: int
    recorded: int
    dropped: int


class Spool:
    """The recording side; :class:`abide_agent.outbox.Outbox` is the sending side of the same database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(self, drafts: Sequence[Draft]) -> int:
        """Record ``drafts``, each observation once; return how many are new. They are durable on return.

        When there is no room they are counted instead (see ``counts().dropped``). Raises SpoolError only when even
        that could not be made durable: then the caller must not confirm anything.
        """
        for attempt in ("as it is", "after making room"):
            try:
                with self._db.adding() as db:
                    _write_dropped(db, drafts[-1].event if drafts else None)
                    return sum(_insert(db, draft) for draft in drafts)
            except SpoolFullError:
                if attempt == "as it is" and self._evict():
                    continue
                break
        self._db.upkeep(lambda db: _count_dropped(db, drafts))
        return 0

    def recent(self, limit: int, account: str = "") -> list[Entry]:
        """Return the newest events (all, or what ``account`` may read), newest first."""
        sql = "SELECT line, receipted FROM events WHERE ?1 = '' OR account IN (?1, '') ORDER BY seq DESC LIMIT ?2"
        rows = self._db.rows(sql, account, limit)
        return [Entry(msgspec.json.decode(line, type=Event), receipted != 0) for line, receipted in rows]

    def purge(self, now_ms: int, keep_days: int) -> int:
        """Delete events whose receipt is older than ``keep_days``; return how many."""
        before = now_ms - keep_days * DAY_MS
        sql = "DELETE FROM events WHERE receipted > 0 AND receipted < ?"
        return self._db.upkeep(lambda db: db.execute(sql, (before,)).rowcount)

    def counts(self) -> Counts:
        """Return the numbers for status."""
        [(waiting,)] = self._db.rows("SELECT count(*) FROM events WHERE receipted = 0")
        [(recorded, dropped)] = self._db.rows("SELECT last_seq, dropped FROM state")
        return Counts(int(waiting), int(recorded), int(dropped))

    def _evict(self) -> int:
        """Delete the oldest receipted events; return how many."""
        sql = (
            "DELETE FROM events WHERE seq IN"
            " (SELECT seq FROM events WHERE receipted > 0 ORDER BY seq LIMIT ?) AND receipted > 0"
        )
        return self._db.upkeep(lambda db: db.execute(sql, (EVICT_EVENTS,)).rowcount)


def _insert(db: sqlite3.Connection, draft: Draft) -> bool:
    if draft.observation and _is_known(db, draft.observation):
        return False
    last, head = db.execute("SELECT last_seq, head FROM state").fetchone()
    line = msgspec.json.encode(msgspec.structs.replace(draft.event, seq=last + 1))
    if len(line) > MAX_EVENT_BYTES:
        raise ValueError(f"an event of {len(line)} bytes was drafted")
    values = (last + 1, line, head, draft.observation or None, draft.account)
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, 0, ?)", values)
    after = bytes.fromhex(chain(head.hex(), (line,)))
    db.execute("UPDATE state SET last_seq = ?, head = ?", (last + 1, after))
    return True


def _is_known(db: sqlite3.Connection, observation: str) -> bool:
    return db.execute("SELECT 1 FROM events WHERE observation = ?", (observation,)).fetchone() is not None


def _count_dropped(db: sqlite3.Connection, drafts: Sequence[Draft]) -> None:
    new = [draft for draft in drafts if not (draft.observation and _is_known(db, draft.observation))]
    if new:
        db.execute(
            "UPDATE state SET dropped_at = iif(dropped = 0, ?, dropped_at), dropped = dropped + ?",
            (new[0].event.at, len(new)),
        )


def _write_dropped(db: sqlite3.Connection, pattern: Event | None) -> None:
    """Write the one event that stands for everything dropped before, if anything was."""
    dropped, at = db.execute("SELECT dropped, dropped_at FROM state").fetchone()
    if dropped == 0:
        return
    record = Event(
        v=1,
        seq=0,
        at=at,
        tz_offset=pattern.tz_offset if pattern else 0,
        kind="dropped",
        surface="browser",
        purpose="undeclared",
        period=pattern.period if pattern else "working",
        verdict="count",
        policy_version=pattern.policy_version if pattern else 0,
        dropped=dropped,
    )
    _insert(db, Draft("", record))
    db.execute("UPDATE state SET dropped = 0, dropped_at = 0")
