"""Health: one snapshot for ``status``, ``doctor`` and the server, and how to ask a running daemon for it."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import msgspec

from abide_rules.wire import BrowserCoverage

TIMEOUT_S = 3
MAX_SNAPSHOT_BYTES = 1_000_000


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """How the daemon is. A ``…_problem`` is empty when all is well; times are ms of server time, 0 = never."""

    agent_version: str
    pid: int
    device: str
    server: str
    account: str
    person: str
    started_ms: int
    now_ms: int
    time_from_server: bool
    connected: bool
    connection_problem: str
    policy_version: int
    plan_version: int
    refreshed_ms: int
    stale: str
    policy_problem: str
    people_problem: str
    plan_problem: str
    spooled: int
    recorded: int
    dropped: int
    uplink_problem: str
    receipt_ms: int
    browsers: tuple[BrowserCoverage, ...]


def ask_daemon(path: Path) -> Snapshot | None:
    """Return the running daemon's snapshot, or None when no daemon answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(path))
            request = b'{"type":"snapshot"}'
            connection.sendall(struct.pack("=I", len(request)) + request)
            (length,) = struct.unpack("=I", _exactly(connection, 4))
            return msgspec.json.decode(_exactly(connection, min(length, MAX_SNAPSHOT_BYTES)), type=Snapshot)
    except (OSError, msgspec.MsgspecError):
        return None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("the daemon hung up")
        data += part
    return data
