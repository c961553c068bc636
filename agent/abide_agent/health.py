"""Health: one snapshot for ``status``, ``doctor`` and the server, and how to ask a running daemon for it."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from abide_agent.integrity import Tampering
from abide_rules.wire import BrowserCoverage

TIMEOUT_S = 3
MAX_SNAPSHOT_BYTES = 1_000_000


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """How the daemon is. A ``…_problem`` is empty when all is well; times are ms of server time, 0 = never.

    ``tampered`` says what was changed since the start, the latest first.
    """

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
    tampered: tuple[Tampering, ...] = ()
    guard_problem: str = ""


def ask_daemon(path: Path) -> Snapshot | None:
    """Return the running daemon's snapshot, or None when no daemon answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            return msgspec.json.decode(_ask(connection, path, b'{"type":"snapshot"}'), type=Snapshot)
    except (OSError, msgspec.MsgspecError):
        return None


@contextlib.contextmanager
def announced(path: Path) -> Iterator[None]:
    """Tell a running daemon that what it guards is changed rightfully until the end of the block; it has then taken over."""
    with socket.socket(socket.AF_UNIX) as connection:
        with contextlib.suppress(OSError):  # nobody is there who would undo it
            _ask(connection, path, b'{"type":"changing"}')
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1):
                    pass


def _ask(connection: socket.socket, path: Path, request: bytes) -> bytes:
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(path))
    connection.sendall(struct.pack("=I", len(request)) + request)
    (length,) = struct.unpack("=I", _exactly(connection, 4))
    return _exactly(connection, min(length, MAX_SNAPSHOT_BYTES))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("the daemon hung up")
        data += part
    return data
