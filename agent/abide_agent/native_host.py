"""The native host: what a browser starts. It relays frames between stdin/stdout and the daemon's socket.

Standard library only, so that it starts in tens of milliseconds. The first frame it sends names the extension that started
it, as the browser told it. When there is no daemon it says so and ends; the extension tries again.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

CHUNK_BYTES = 65_536
CONNECT_TIMEOUT_S = 3
SYSTEM_SOCKET = Path("/run/abide-agent/agent.sock")
"""As in abide_agent.config, without its imports."""


def main(arguments: Sequence[str]) -> int:
    """Relay until one side ends; ``arguments`` are ``--state DIR`` or ``--system``, and what the browser appended."""
    path, origin = _parse(arguments)
    try:
        daemon = _connect(path)
    except OSError as error:
        _unavailable(f"the agent does not run: {error}")
        return 0
    hello = json.dumps({"type": "host", "origin": origin, "pid": os.getpid()}).encode()
    try:
        daemon.sendall(struct.pack("=I", len(hello)) + hello)
    except OSError as error:
        _unavailable(f"the agent hung up: {error}")
        return 0
    threading.Thread(target=_browser_to_daemon, args=(daemon,), daemon=True).start()
    _daemon_to_browser(daemon)
    sys.stdout.flush()
    os._exit(0)  # the other thread may be blocked in a read that only the browser can end


def _parse(arguments: Sequence[str]) -> tuple[Path, str]:
    rest = list(arguments)
    if rest[:1] == ["--system"]:
        return SYSTEM_SOCKET, _origin(rest[1:])
    state = os.environ.get("ABIDE_STATE", "")
    if rest[:1] == ["--state"] and len(rest) > 1:
        state, rest = rest[1], rest[2:]
    if not state:
        state = os.path.join(  # noqa: PTH118 (the same default as abide_agent.config, without its imports)
            os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state"), "abide"
        )
    return Path(state) / "agent.sock", _origin(rest)


def _origin(rest: Sequence[str]) -> str:
    origins = [value for value in rest if value.startswith("chrome-extension://")]
    return (origins or list(rest[-1:]) or [""])[0]


def _connect(path: Path) -> socket.socket:
    """Connect to a socket that belongs to this user or to root. Raises OSError."""
    owner = path.stat().st_uid
    if owner not in (os.getuid(), 0):
        raise PermissionError(f"{path} belongs to another user ({owner})")
    daemon = socket.socket(socket.AF_UNIX)
    daemon.settimeout(CONNECT_TIMEOUT_S)
    daemon.connect(str(path))
    daemon.settimeout(None)
    return daemon


def _browser_to_daemon(daemon: socket.socket) -> None:
    try:
        while data := os.read(0, CHUNK_BYTES):
            daemon.sendall(data)
        daemon.shutdown(socket.SHUT_RDWR)
    except OSError:
        os._exit(0)


def _daemon_to_browser(daemon: socket.socket) -> None:
    try:
        while data := daemon.recv(CHUNK_BYTES):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]
    except OSError:
        return


def _unavailable(reason: str) -> None:
    body = json.dumps({"type": "unavailable", "reason": reason}).encode()
    os.write(1, struct.pack("=I", len(body)) + body)
