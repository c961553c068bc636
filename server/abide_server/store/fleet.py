"""SQL of releases and of what is in force where."""

from __future__ import annotations

import sqlite3

from abide_rules.wire import Coverage
from abide_server.store.base import Act, InForceRow, Release
from abide_server.store.enrolment import add_act

_RELEASE = "version, made, actor, note, name, source, published, timestamp_version"
_IN_FORCE = "device, browser, version, since, seen, guarded, browser_version, extension_version, forced"


def add_release(db: sqlite3.Connection, release: Release) -> None:
    """Take a release number and keep the source."""
    db.execute(
        f"INSERT INTO releases ({_RELEASE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        tuple(getattr(release, name) for name in Release.__struct_fields__),
    )


def mark_published(db: sqlite3.Connection, version: int, timestamp_version: int, act: Act) -> None:
    """Note that the repository carries a release."""
    done = db.execute(
        "UPDATE releases SET published = ?, timestamp_version = ? WHERE version = ? AND published IS NULL",
        (act.at, timestamp_version, version),
    )
    if done.rowcount:
        add_act(db, act)


def releases(db: sqlite3.Connection) -> tuple[Release, ...]:
    """Return all published releases, newest first."""
    rows = db.execute(f"SELECT {_RELEASE} FROM releases WHERE published IS NOT NULL ORDER BY version DESC")  # noqa: S608
    return tuple(Release(*row) for row in rows)


def release(db: sqlite3.Connection, version: int) -> Release | None:
    """Return one published release."""
    row = db.execute(
        f"SELECT {_RELEASE} FROM releases WHERE published IS NOT NULL AND version = ?",  # noqa: S608
        (version,),
    ).fetchone()
    return Release(*row) if row else None


def last_release(db: sqlite3.Connection) -> int:
    """Return the highest release number that was ever taken, 0 for none."""
    return int(db.execute("SELECT coalesce(max(version), 0) FROM releases").fetchone()[0])


def set_in_force(db: sqlite3.Connection, device: str, browser: str, version: int, since: int, now: int) -> None:
    """Note a confirmation; the same version again keeps its first time."""
    db.execute(
        "INSERT INTO in_force (device, browser, version, since, seen, guarded) VALUES (?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (device, browser) DO UPDATE SET seen = excluded.seen, guarded = 1,"
        " since = CASE WHEN version = excluded.version THEN since ELSE excluded.since END,"
        " version = excluded.version",
        (device, browser, version, since, now),
    )
    _speak(db, device, now)


def set_coverage(db: sqlite3.Connection, device: str, coverage: Coverage, now: int) -> None:
    """Note what an agent says; a browser that is not listed keeps its row, but not its guard."""
    db.execute("UPDATE in_force SET guarded = 0 WHERE device = ? AND browser <> ''", (device,))
    db.executemany(
        "INSERT INTO in_force (device, browser, version, since, seen, guarded, browser_version, extension_version, forced)"
        " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)"
        " ON CONFLICT (device, browser) DO UPDATE SET seen = excluded.seen, guarded = 1,"
        " browser_version = excluded.browser_version, extension_version = excluded.extension_version,"
        " forced = excluded.forced",
        [
            (device, b.browser, b.policy_version, now, now, b.browser_version, b.extension_version, int(b.forced))
            for b in coverage.browsers
        ],
    )
    db.execute(
        "UPDATE devices SET stale = ?, spooled = ?, problems = ?, seen = ? WHERE device = ?",
        (int(coverage.stale), coverage.spooled, " ".join(coverage.problems), now, device),
    )


def set_seen(db: sqlite3.Connection, device: str, now: int, agent_version: str, guarded: bool) -> None:
    """Note that a device spoke, or went away."""
    _speak(db, device, now)
    if agent_version:
        db.execute("UPDATE devices SET agent_version = ? WHERE device = ?", (agent_version, device))
    if not guarded:
        db.execute("UPDATE in_force SET guarded = 0 WHERE device = ?", (device,))


def in_force(db: sqlite3.Connection) -> tuple[InForceRow, ...]:
    """Return what is in force everywhere."""
    rows = db.execute(f"SELECT {_IN_FORCE} FROM in_force ORDER BY device, browser")  # noqa: S608
    return tuple(
        InForceRow(d, b, v, since, seen, bool(g), bv, ev, bool(f)) for d, b, v, since, seen, g, bv, ev, f in rows
    )


def _speak(db: sqlite3.Connection, device: str, now: int) -> None:
    db.execute("UPDATE devices SET seen = ? WHERE device = ?", (now, device))
