"""Zip archives, in memory: the same files give the same bytes, and what comes from outside is bounded."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from abide_rules.errors import MalformedError, TooLargeError
from abide_rules.wire import MAX_EXTENSION_FILES, MAX_EXTENSION_UNPACKED_BYTES

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644 << 16
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError)


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """Return an archive: sorted by name, all of 1 January 1980."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = _UNIX, _MODE
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return out.getvalue()


def read_zip(raw: bytes) -> dict[str, bytes]:
    """Return the files of an archive. Raises MalformedError, or TooLargeError before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries)
            return {entry.filename: archive.read(entry) for entry in entries}
    except _BROKEN as error:
        raise MalformedError(f"an archive that cannot be read: {error}") from error


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_EXTENSION_FILES or sum(entry.file_size for entry in entries) > MAX_EXTENSION_UNPACKED_BYTES:
        raise TooLargeError(
            f"an extension has at most {MAX_EXTENSION_FILES} files and {MAX_EXTENSION_UNPACKED_BYTES} bytes unpacked"
        )
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise MalformedError("an archive with two files of one name")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise MalformedError(f"an archive with a file outside of it: {name}")
