"""The only branches on the operating system.

:func:`current` returns the tables of the system the agent runs on; the functions below it wrap what the systems do
differently at run time.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import struct
import sys
import time
import uuid
from pathlib import Path

from abide_agent.platform.base import Layout
from abide_agent.platform.linux import linux, linux_system
from abide_agent.platform.macos import macos, macos_system
from abide_agent.platform.windows import windows, windows_system

__all__ = [
    "Layout", "account", "account_of", "boot_id", "boot_ms", "clock_set_handle", "close_handle", "current",
    "disk_free_bytes", "lock_file", "memory_dir", "peer_uid", "system", "user_id", "wall_ms", "was_clock_set", "zone",
]  # fmt: skip

JANUARY_2026_S = 1_767_225_600
MONTH_S = 30 * 86_400


def current() -> Layout:
    """Return where browsers and services of this system look for their files."""
    if sys.platform == "win32":
        return windows(Path.home(), os.environ)
    if sys.platform == "darwin":
        return macos(Path.home())
    return linux(Path.home(), os.environ)


def system() -> Layout:
    """Return where browsers and services of this system look for what holds for all accounts."""
    if sys.platform == "win32":
        return windows_system(os.environ)
    if sys.platform == "darwin":
        return macos_system()
    return linux_system()


def account() -> str:
    """Return the name of the operating-system account."""
    if sys.platform == "win32":
        return getpass.getuser()
    return account_of(os.getuid())


def account_of(uid: int) -> str:
    """Return the name of an account; its number when it has none."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def wall_ms() -> int:
    """Return the laptop's own clock."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """Return the time since the system started, sleep included."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    seconds = time.monotonic() if clock is None else time.clock_gettime(clock)
    return int(seconds * 1000)


def boot_id() -> str:
    """Return a name for this boot; where the system has none, one for this process."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return str(uuid.uuid4())


def zone() -> tuple[int, ...]:
    """Return the laptop's offsets from UTC (seconds east) in each month of 2026.

    They tell zones apart and are the same in summer and winter. A new setting of the system counts at once.
    """
    if hasattr(time, "tzset"):
        time.tzset()
    return tuple(time.localtime(JANUARY_2026_S + n * MONTH_S).tm_gmtoff for n in range(12))


def clock_set_handle() -> int | None:
    """Return a descriptor that becomes readable whenever the clock is set, or None where the system does not tell."""
    if sys.platform != "linux":
        return None
    from abide_agent.platform import clockset

    return clockset.open_timer()


def was_clock_set(handle: int) -> bool:
    """Say, once, whether the clock was set since the last call."""
    from abide_agent.platform import clockset

    return clockset.was_set(handle)


def close_handle(handle: int) -> None:
    """Close what :func:`clock_set_handle` opened."""
    os.close(handle)


def memory_dir() -> Path | None:
    """Return a directory that lies in memory and not on a disk, or None when the system has none for us."""
    for candidate in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 (mode 0700 below it)
        if candidate and os.access(candidate, os.W_OK | os.X_OK):
            return Path(candidate)
    return None


def disk_free_bytes(folder: Path) -> int:
    """Return how much room the file system of ``folder`` has, -1 when that cannot be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return -1


def user_id() -> int:
    """Return the number of the operating-system account (0 where there is none)."""
    return os.getuid() if hasattr(os, "getuid") else 0


def peer_uid(connection: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket. Raises OSError."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    local_peercred = 1
    credentials = connection.getsockopt(0, local_peercred, struct.calcsize("IIh16I"))
    return int(struct.unpack_from("II", credentials)[1])


def lock_file(path: Path) -> int | None:
    """Lock ``path`` for this process and return its descriptor, or None when another process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
