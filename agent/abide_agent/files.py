"""The state directory: its folders and the files that must not be there yet, readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

from abide_rules.errors import ConfigurationError
from abide_rules.files import sync_folder
from abide_rules.i18n import _

PRIVATE_MODE = 0o700


def make_private_dir(path: Path) -> None:
    """Create a directory (0700) with its parents; tighten it when it is there. Raises ConfigurationError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
        path.chmod(PRIVATE_MODE)
    except OSError as error:
        raise ConfigurationError(
            _("the state directory {path} cannot be used: {reason}", path=path, reason=error),
            advice=_("Choose another one with --state."),
        ) from error


def create_file(path: Path, data: bytes) -> None:
    """Create ``path`` (0600), never replacing one that is there. Raises FileExistsError or OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
