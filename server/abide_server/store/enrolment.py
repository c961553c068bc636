"""SQL of tokens and devices; each function is one job inside a transaction."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from abide_rules.events import GENESIS
from abide_server.problems import RefusedError
from abide_server.store.base import Act, Device, NewDevice, Token

_TOKEN = "token, secret_sha256, grouping, uses_left, expires, root_version, created"  # noqa: S105 - column names
_DEVICE = (
    "device, public_key, name, platform, grouping, token, proof, enrolled, revoked, agent_version, next_seq, head,"
    " seen, stale, spooled, problems"
)


def add_act(db: sqlite3.Connection, act: Act) -> None:
    """Write an administrative act into the audit."""
    db.execute(
        "INSERT INTO audit (at, actor, action, subject, note) VALUES (?, ?, ?, ?, ?)",
        (act.at, act.actor, act.action, act.subject, act.note),
    )


def add_token(db: sqlite3.Connection, token: Token, act: Act) -> None:
    """Keep a new enrolment token."""
    db.execute(
        f"INSERT INTO tokens ({_TOKEN}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant columns
        (
            token.token, token.secret_sha256, token.group, token.uses_left, token.expires, token.root_version,
            token.created,
        ),
    )  # fmt: skip
    add_act(db, act)


def get_token(db: sqlite3.Connection, token: str) -> Token | None:
    """Return a token by its id."""
    row = db.execute(f"SELECT {_TOKEN} FROM tokens WHERE token = ?", (token,)).fetchone()  # noqa: S608
    return Token(*row) if row else None


def get_device(db: sqlite3.Connection, device: str) -> Device | None:
    """Return a device by its id."""
    row = db.execute(f"SELECT {_DEVICE} FROM devices WHERE device = ?", (device,)).fetchone()  # noqa: S608
    return _device(row) if row else None


def all_devices(db: sqlite3.Connection) -> tuple[Device, ...]:
    """Return all devices, in order of enrolment."""
    rows = db.execute(f"SELECT {_DEVICE} FROM devices ORDER BY enrolled, device")  # noqa: S608
    return tuple(_device(row) for row in rows)


def enrol(db: sqlite3.Connection, new: NewDevice, now: int) -> Device:
    """Register a device and use its token once; the same key again is no second enrolment."""
    token = get_token(db, new.token)
    if token is None:
        raise RefusedError("bad-token", "no such token")
    known = get_device(db, new.device)
    if known is not None:
        if known.revoked is not None:
            raise RefusedError("revoked-device", f"{new.device} was revoked", advice="Enrol with a new key.")
        return known
    if token.uses_left < 1:
        raise RefusedError("used-token", "this token is used up", advice="Ask the administrator for a new token.")
    db.execute("UPDATE tokens SET uses_left = uses_left - 1 WHERE token = ?", (new.token,))
    device = Device(
        new.device, new.public_key, new.name, new.platform, token.group, new.token, new.proof, now, None,
        new.agent_version, 1, GENESIS, now, False, 0,
    )  # fmt: skip
    db.execute(
        f"INSERT INTO devices ({_DEVICE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        tuple(getattr(device, name) for name in Device.__struct_fields__),
    )
    add_act(db, Act(now, new.device, "enrol", new.device, f"token {new.token}"))
    return device


def revoke(db: sqlite3.Connection, device: str, act: Act) -> bool:
    """Revoke a device; False when there is nothing to revoke."""
    done = db.execute("UPDATE devices SET revoked = ? WHERE device = ? AND revoked IS NULL", (act.at, device))
    if done.rowcount == 0:
        return False
    add_act(db, act)
    return True


def _device(row: tuple[Any, ...]) -> Device:
    return msgspec.convert(dict(zip(Device.__struct_fields__, row, strict=True)), Device, strict=False)
