"""The spool: no gaps, no doubles, bounded, never silent; and the bounds of batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from abide_agent.outbox import Outbox, Outgoing
from abide_agent.spool import DAY_MS, Draft, Spool
from abide_agent.spool_db import Database
from abide_rules.errors import BadDataError, ConfigurationError
from abide_rules.events import GENESIS, Event, chain
from abide_rules.wire import MAX_BATCH_BYTES

SMALL_BYTES = 512 * 1024
RESERVE_BYTES = 64 * 1024


def draft(name: str, host: str = "chatgpt.com") -> Draft:
    event = Event(
        v=1,
        seq=0,
        at=1_000,
        tz_offset=0,
        kind="visit",
        surface="browser",
        purpose="undeclared",
        period="working",
        verdict="block",
        policy_version=1,
        host=host,
    )
    return Draft(name, event)


def drafts(first: int, last: int, host: str = "chatgpt.com") -> list[Draft]:
    return [draft(f"o{n}", host) for n in range(first, last + 1)]


class House:
    """A spool and an outbox over one database file."""

    def __init__(self, path: Path, max_bytes: int = SMALL_BYTES) -> None:
        self.path = path
        self.db = Database(path, max_bytes, RESERVE_BYTES)
        self.spool = Spool(self.db)
        self.outbox = Outbox(self.db)

    def batch(self, max_events: int = 1_000) -> Outgoing:
        found = self.outbox.next_batch(max_events)
        assert found is not None
        return found

    def confirm(self, batch: Outgoing, now_ms: int = 1) -> None:
        self.outbox.receive(batch.last_seq, chain(batch.prev, batch.lines), now_ms)

    def reopen(self) -> House:
        self.db.close()
        return House(self.path)

    def fill(self) -> int:
        """Record until there is no room; return how many were recorded."""
        recorded = 0
        while self.spool.append(drafts(recorded + 1, recorded + 50, "x" * 200)):
            recorded += 50
        return recorded


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "spool.sqlite")
    yield made
    made.db.close()


def test_numbers_have_no_gaps_and_hashes_chain_over_a_restart(house: House) -> None:
    house.spool.append(drafts(1, 3))
    house = house.reopen()
    house.spool.append(drafts(4, 5))
    batch = house.batch()
    assert (batch.first_seq, batch.last_seq, batch.prev) == (1, 5, GENESIS)
    assert [entry.event.seq for entry in house.spool.recent(9)] == [5, 4, 3, 2, 1]
    house.confirm(batch)
    house.spool.append(drafts(6, 6))
    assert house.batch().prev == chain(batch.prev, batch.lines)
    house.db.close()


def test_an_observation_is_recorded_once_also_after_its_receipt(house: House) -> None:
    assert house.spool.append(drafts(1, 2)) == 2
    house.confirm(house.batch())
    assert house.spool.append([*drafts(1, 2), *drafts(3, 3), *drafts(3, 3)]) == 1
    assert house.spool.counts().recorded == 3


def test_the_files_are_for_their_owner_only(house: House) -> None:
    house.spool.append(drafts(1, 1))
    assert {path.stat().st_mode & 0o077 for path in house.path.parent.iterdir()} == {0}


def test_commits_are_synchronous(house: House) -> None:
    assert house.db.rows("PRAGMA synchronous") == [(2,)]
    assert house.db.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_full_spool_counts_what_it_drops_and_says_so_in_one_record(house: House) -> None:
    recorded = house.fill()
    assert house.path.stat().st_size <= SMALL_BYTES
    assert house.spool.append(drafts(900_001, 900_050, "y" * 200)) == 0
    assert house.spool.counts().dropped == 100
    house = house.reopen()
    assert house.spool.counts().dropped == 100
    house.confirm(house.batch())
    assert house.spool.append([draft("later")]) == 1
    [later, dropped] = house.spool.recent(2)
    assert (later.event.kind, dropped.event.kind, dropped.event.dropped) == ("visit", "dropped", 100)
    assert (dropped.event.at, dropped.event.seq, later.event.seq) == (1_000, recorded + 1, recorded + 2)
    assert house.spool.counts().dropped == 0
    house.db.close()


def test_a_full_spool_can_still_be_sent_and_emptied(house: House) -> None:
    recorded = house.fill()
    sent = 0
    while (batch := house.outbox.next_batch()) is not None:
        house.confirm(batch)
        sent += len(batch.lines)
    assert sent == recorded
    assert house.spool.purge(1 + 15 * DAY_MS, 14) == recorded


def test_receipted_events_make_room_before_anything_is_dropped(house: House) -> None:
    house.fill()
    while (batch := house.outbox.next_batch()) is not None:
        house.confirm(batch)
    assert house.spool.append(drafts(800_001, 800_050, "z" * 200)) == 50
    assert house.spool.recent(51)[50].event.dropped == 50


def test_receipted_events_are_kept_for_their_days_and_waiting_ones_for_ever(house: House) -> None:
    house.spool.append(drafts(1, 4))
    house.confirm(house.batch(2), now_ms=DAY_MS)
    assert house.spool.purge(15 * DAY_MS, 14) == 0
    assert house.spool.purge(15 * DAY_MS + 1, 14) == 2
    assert house.spool.purge(900 * DAY_MS, 14) == 0
    assert house.batch().first_seq == 3


def test_a_batch_without_receipt_is_sent_again_as_the_same_bytes(house: House) -> None:
    house.spool.append(drafts(1, 3))
    before = house.batch()
    house.spool.append(drafts(4, 6))
    assert house.batch() == before
    house = house.reopen()
    assert house.batch() == before
    house.confirm(before)
    assert house.batch().first_seq == 4
    house.db.close()


def test_a_batch_is_not_longer_than_the_server_takes(tmp_path: Path) -> None:
    house = House(tmp_path / "big.sqlite", 8 * 1024 * 1024)
    house.spool.append([draft(f"o{n}", "h" * 4_000) for n in range(400)])
    batch = house.batch()
    assert sum(len(line) + 1 for line in batch.lines) <= MAX_BATCH_BYTES - 4_096
    assert len(batch.lines) > 200
    house.db.close()


def test_a_batch_that_is_too_large_is_halved(house: House) -> None:
    house.spool.append(drafts(1, 7))
    assert len(house.batch().lines) == 7
    house.outbox.split()
    assert (house.batch().first_seq, house.batch().last_seq) == (1, 4)
    house.outbox.split()
    house.outbox.split()
    house.outbox.split()
    assert (house.batch().first_seq, house.batch().last_seq) == (1, 1)


@pytest.mark.parametrize("wrong", ["another head", "an event that does not exist"])
def test_a_receipt_for_something_else_changes_nothing(wrong: str, house: House) -> None:
    house.spool.append(drafts(1, 2))
    batch = house.batch()
    head = chain(batch.prev, batch.lines)
    with pytest.raises(BadDataError):
        house.outbox.receive(*((2, GENESIS) if wrong == "another head" else (3, head)), 1)
    assert house.batch() == batch


def test_what_the_server_lost_is_sent_again_from_there(house: House) -> None:
    house.spool.append(drafts(1, 6))
    house.confirm(house.batch(2))
    house.confirm(house.batch(2))
    house.outbox.rewind(2)
    assert (house.batch().first_seq, house.batch().last_seq) == (2, 6)
    house.confirm(house.batch())
    assert house.outbox.next_batch() is None


def test_what_is_not_here_any_more_cannot_be_sent_again(house: House) -> None:
    house.spool.append(drafts(1, 4))
    house.confirm(house.batch(2), now_ms=1)
    house.spool.purge(20 * DAY_MS, 14)
    with pytest.raises(BadDataError, match="not on this device"):
        house.outbox.rewind(1)


@pytest.mark.parametrize("content", [b"not a database at all" * 100], ids=["a file that is no database"])
def test_a_broken_file_is_an_error_and_is_not_replaced(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        Database(path, SMALL_BYTES, RESERVE_BYTES)
    assert path.read_bytes() == content


def test_a_transaction_that_fails_leaves_nothing(house: House) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE state SET last_seq = 99")
        raise BadDataError("no")

    with pytest.raises(BadDataError):
        house.db.upkeep(change)
    assert house.spool.counts().recorded == 0


FIRST_SCHEMA = """
CREATE TABLE events (seq INTEGER PRIMARY KEY, line BLOB NOT NULL, prev BLOB NOT NULL, observation TEXT UNIQUE,
    receipted INTEGER NOT NULL);
CREATE INDEX waiting ON events (seq) WHERE receipted = 0;
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL, head BLOB NOT NULL,
    sending_from INTEGER NOT NULL, sending_to INTEGER NOT NULL, dropped INTEGER NOT NULL, dropped_at INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, zeroblob(32), 0, 0, 0, 0);
PRAGMA user_version=1;
"""


def test_a_spool_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(FIRST_SCHEMA)
        db.execute("INSERT INTO events VALUES (1, ?, zeroblob(32), 'o1', 0)", (msgspec.json.encode(draft("o1").event),))
        db.execute("UPDATE state SET last_seq = 1")
    db.close()
    house = House(path)
    assert house.spool.append(drafts(1, 2)) == 1
    assert len(house.spool.recent(9, "somebody")) == 2
