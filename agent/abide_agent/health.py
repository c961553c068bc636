"""Health: one snapshot for ``status``, ``doctor``, popup, tray and server, and how to ask a running daemon for it."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from abide_agent.integrity import Tampering
from abide_rules.problems import Problem
from abide_rules.wire import BrowserCoverage

TIMEOUT_S = 3
MAX_SNAPSHOT_BYTES = 1_000_000


class LastVerdict(msgspec.Struct, frozen=True):
    """The newest visit that was recorded: which service, the verdict, when (ms)."""

    service: str
    verdict: str
    at_ms: int


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """How the daemon is. Times are ms of server time, 0 = never.

    A ``…_trouble`` is None when the activity succeeded last; a ``…_problem`` is empty when all is well. ``refused`` names
    the browsers that did not take the plan; ``settled``: every browser had the time to take the newest. ``tampered``
    says what was changed since the start, the latest first. ``problems`` is what all of it means
    (:mod:`abide_agent.problems`), the most urgent first.
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
    policy_version: int
    plan_version: int
    refreshed_ms: int
    stale: str
    policy_damaged: str
    people_problem: str
    plan_problem: str
    spooled: int
    recorded: int
    dropped: int
    receipt_ms: int
    browsers: tuple[BrowserCoverage, ...]
    refused: tuple[str, ...]
    settled: bool
    tampered: tuple[Tampering, ...]
    guard_problem: str
    stream_trouble: Problem | None
    updates_trouble: Problem | None
    uplink_trouble: Problem | None
    record_trouble: Problem | None
    disk_free_bytes: int
    clock_ahead_ms: int
    manifest_problem: str
    period: str
    period_until_ms: int
    last: LastVerdict | None
    problems: tuple[Problem, ...] = ()


class NoAnswer(msgspec.Struct, frozen=True):
    """Why no daemon's snapshot can be had: the code of the problem, and technical words."""

    code: str
    detail: str = ""


def ask_daemon(path: Path) -> Snapshot | NoAnswer:
    """Return the running daemon's snapshot, or why there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            return msgspec.json.decode(_ask(connection, path, b'{"type":"snapshot"}'), type=Snapshot)
    except (FileNotFoundError, ConnectionRefusedError):
        return NoAnswer("agent/not-running")
    except PermissionError as error:
        return NoAnswer("agent/not-yours", str(error))
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return NoAnswer("agent/not-yours", "the agent hung up without an answer")
    except (OSError, msgspec.MsgspecError) as error:
        return NoAnswer("agent/hangs", str(error) or type(error).__name__)


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
            raise EOFError
        data += part
    return data
