"""Which browser extension belongs to this agent: the packed one that was installed with it, else the development one."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import msgspec

from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_rules.wire import EXTENSION_ID_CHROMIUM, EXTENSION_ID_FIREFOX

DESCRIPTION = "extension.json"


class Bundle(msgspec.Struct, frozen=True):
    """The extension's ids, its version when it was packed, and its files as far as they were installed with the agent."""

    chromium_id: str
    firefox_id: str
    version: str = ""
    crx: Path | None = None
    xpi: Path | None = None

    @property
    def chromium_origin(self) -> str:
        """How Chromium names the extension to a native host."""
        return f"chrome-extension://{self.chromium_id}/"


class _Described(msgspec.Struct, frozen=True):
    chromium_id: str
    firefox_id: str
    version: str
    crx: str = ""
    xpi: str = ""


DEVELOPMENT = Bundle(EXTENSION_ID_CHROMIUM, EXTENSION_ID_FIREFOX)


def bundle() -> Bundle:
    """Return the extension of this installation.

    It is described by ``extension.json`` in ``$ABIDE_EXTENSION_DIR``, else in ``extension/`` beside a frozen executable;
    without ``crx`` and ``xpi`` in it, browsers get the packages from the server.
    Raises ConfigurationError when the description cannot be used, or is missing where the environment promises it.
    """
    folder = _folder()
    return DEVELOPMENT if folder is None else _load(folder)


def origins(known: Bundle) -> frozenset[str]:
    """Return who may speak through a native host: this bundle's extension, and in a checkout the development one."""
    accepted = (known,) if getattr(sys, "frozen", False) else (known, DEVELOPMENT)
    return frozenset(name for each in accepted for name in (each.chromium_origin, each.firefox_id))


def _folder() -> Path | None:
    if given := os.environ.get("ABIDE_EXTENSION_DIR"):
        return Path(given).absolute()
    beside = Path(sys.executable).parent / "extension"
    return beside if getattr(sys, "frozen", False) and (beside / DESCRIPTION).exists() else None


@functools.cache
def _load(folder: Path) -> Bundle:
    path = folder / DESCRIPTION
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Described)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            _("{path} cannot be used: {why}", path=path, why=error),
            advice=_("Install the package again, or unset ABIDE_EXTENSION_DIR."),
        ) from error
    crx, xpi = (folder / Path(name).name if name else None for name in (found.crx, found.xpi))
    return Bundle(found.chromium_id, found.firefox_id, found.version, crx, xpi)
