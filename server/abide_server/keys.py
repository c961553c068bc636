"""Private keys on disk: Ed25519, PKCS #8 PEM, readable by the owner only."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from abide_rules.errors import ConfigurationError
from abide_rules.files import write_atomic
from abide_rules.i18n import _


def create_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and store it at ``path`` (0600)."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key. Raises ConfigurationError when it is missing or not an Ed25519 key."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise ConfigurationError(
            _("the key {path} is not on this host", path=path), advice=_("Bring it here, or name its file with --key.")
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(_("cannot read {path}: {reason}", path=path, reason=error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key")
    return key
