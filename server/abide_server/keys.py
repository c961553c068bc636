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
from abide_server.files import write_atomic


def create_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and store it at ``path`` (0600)."""
    key = Ed25519PrivateKey.generate()
    write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key. Raises ConfigurationError when it is missing or not an Ed25519 key."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"the key {path} is not on this host", advice="Bring it here, or name its file with --key."
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"cannot read the key {path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key")
    return key
