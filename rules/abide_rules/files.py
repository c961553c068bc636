"""Files that are either old or new, never half: temp + fsync + replace."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".*.new"


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``: after a crash the old or the new content is there; durable on return.

    Raises OSError, and then leaves nothing behind.
    """
    with _written(path, data, mode) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def create_atomic(path: Path, data: bytes) -> None:
    """Create ``path`` (0600) as a whole or not at all, never replacing one that is there; durable on return.

    Raises FileExistsError or OSError.
    """
    with _written(path, data, 0o600) as temporary:
        os.link(temporary, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _written(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Yield a durable temporary file beside ``path``; what is left of it afterwards is deleted."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, pattern: str = TEMPORARY) -> None:
    """Delete what writers that were killed left in ``folder``; nobody may be writing there now. Never raises."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
