"""The vault: files whose exact content the daemon holds in memory, so that it can tell and undo any change to them.

The daemon writes these files through the vault only; what anybody else does to them is a change. Used from any thread.
Links are never followed: a file that became a link is replaced, a folder that became one is made anew.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from abide_agent.files import PRIVATE_MODE
from abide_rules.files import write_atomic

FILE_MODE = 0o600


class Kept(msgspec.Struct, frozen=True):
    """What must stand at a path: ``what`` names it without the path, ``folder`` is where the path led at first."""

    what: str
    data: bytes
    mode: int
    folder: Path


class Vault:
    """Knows the files below ``folder`` by ``names`` (path → what it is), and others by what :meth:`hold` says."""

    def __init__(self, folder: Path, names: Mapping[Path, str]) -> None:
        self._folder = folder
        self._names = names
        self._lock = threading.RLock()
        self._kept: dict[Path, Kept] = {}

    def write(self, path: Path, data: bytes) -> None:
        """Replace one of the daemon's own files. Raises OSError, with nothing changed."""
        with self._lock:
            write_atomic(path, data)
            self.hold(self._names[path], path, data)

    def remove(self, path: Path) -> None:
        """Delete one of the daemon's own files."""
        with self._lock:
            self.release(path)
            path.unlink(missing_ok=True)

    def adopt(self, path: Path) -> None:
        """Take what stands at one of the daemon's own paths for what it must be; nothing, when nothing is there."""
        with self._lock:
            self.release(path)
            try:
                self.hold(self._names[path], path, path.read_bytes())
            except OSError:
                return

    def hold(self, what: str, path: Path, data: bytes, mode: int = FILE_MODE) -> None:
        """Say what must stand at ``path``."""
        with self._lock:
            self._kept[path] = Kept(what, data, mode, path.parent.resolve())

    def release(self, path: Path) -> None:
        """Forget a path; what stands there is nobody's business any more."""
        with self._lock:
            self._kept.pop(path, None)

    def data(self, path: Path) -> bytes | None:
        """Return what must stand at ``path``, or None when that is not known."""
        kept = self._kept.get(path)
        return kept.data if kept is not None else None

    def paths(self) -> frozenset[Path]:
        """Return everything that is kept, the state folder included."""
        with self._lock:
            return frozenset({self._folder, *self._kept})

    def name(self, path: Path) -> str:
        """Return what a path is, without the path."""
        kept = self._kept.get(path)
        return kept.what if kept is not None else "state"

    def changed(self) -> list[Path]:
        """Return what is not as it must be, the state folder first."""
        with self._lock:
            found = [] if _is_private(self._folder) else [self._folder]
            return found + [path for path, kept in self._kept.items() if not _is_intact(path, kept)]

    def restore(self, path: Path) -> bool:
        """Put a path back as it must be; False when it is so already. Raises OSError."""
        with self._lock:
            if path == self._folder:
                return _make_private(path)
            kept = self._kept.get(path)
            if kept is None or _is_intact(path, kept):
                return False
            _make_folder(path.parent, kept.folder)
            if path.is_dir() and not path.is_symlink():
                path.rename(path.with_name(f".{path.name}.{secrets.token_hex(4)}"))
            write_atomic(path, kept.data, kept.mode)
            return True


def _is_private(folder: Path) -> bool:
    try:
        found = folder.stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(found) and _mode(found) == _mode(PRIVATE_MODE)


def _make_private(folder: Path) -> bool:
    if _is_private(folder):
        return False
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
    folder.chmod(PRIVATE_MODE)
    return True


def _make_folder(folder: Path, was: Path) -> None:
    if folder.is_symlink() and folder.resolve() != was:
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _is_intact(path: Path, kept: Kept) -> bool:
    try:
        if path.parent.resolve() != kept.folder:
            return False
        return read_plain(path, len(kept.data) + 1) == (kept.data, _mode(kept.mode))
    except OSError:
        return False


def read_plain(path: Path, most_bytes: int) -> tuple[bytes, int]:
    """Return content (up to a bound) and mode of a plain file, never through a link. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        data = bytearray()
        while len(data) < most_bytes and (part := os.read(handle, most_bytes - len(data))):
            data += part
        return bytes(data), _mode(found.st_mode)
    finally:
        os.close(handle)


def _mode(found: int) -> int:
    """Return the permission bits, where the system has them."""
    return 0 if sys.platform == "win32" else stat.S_IMODE(found)
