"""Where things lie, and what an installation is: one frozen object, made once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from abide_rules.errors import ConfigurationError
from abide_rules.files import write_atomic
from abide_rules.i18n import _

DEFAULT_PORT = 8470


class DataDir(msgspec.Struct, frozen=True):
    """The server's data directory (0700) and the names inside it."""

    root: Path

    @property
    def settings(self) -> Path:
        """What ``init`` was told, as JSON."""
        return self.root / "server.json"

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.root / "abide.sqlite3"

    @property
    def keys(self) -> Path:
        """Private keys, one PEM each (0600)."""
        return self.root / "keys"

    @property
    def receipt_key(self) -> Path:
        """The key that signs receipts."""
        return self.keys / "receipt.pem"

    @property
    def tuf(self) -> Path:
        """The update repository: ``metadata/`` and ``targets/``."""
        return self.root / "tuf"

    @property
    def tls(self) -> Path:
        """The private authority and the server's certificate, when ``init`` made them."""
        return self.root / "tls"

    @property
    def extension(self) -> Path:
        """The packages of the browser extension that are published, and which is the newest."""
        return self.root / "extension"

    @property
    def publish_lock(self) -> Path:
        """Held by whoever changes the update repository."""
        return self.root / "publish.lock"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What ``init`` was told: the address that agents use, and whether a private authority was made."""

    v: int
    url: str
    private_ca: bool = False


class ServerConfig(msgspec.Struct, frozen=True):
    """Everything that the running application needs to know.

    ``console_public`` serves the web page and the metrics to every client instead of this machine only.
    """

    data: DataDir
    settings: Settings
    console_public: bool = False


def load_settings(data: DataDir) -> Settings:
    """Read what ``init`` wrote. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(data.settings.read_bytes(), type=Settings)
    except FileNotFoundError as error:
        raise ConfigurationError(
            _("{path} is not a server's data directory", path=data.root), advice=_("Make one with: abide-server init")
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(_("cannot read {path}: {reason}", path=data.settings, reason=error)) from error


def save_settings(data: DataDir, settings: Settings) -> None:
    """Write what ``init`` was told."""
    write_atomic(data.settings, msgspec.json.encode(settings) + b"\n")
