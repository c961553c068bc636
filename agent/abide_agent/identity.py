"""Who this device is: its key, made once, and whom it trusts since it enrolled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent.config import Config
from abide_rules.envelope import device_id
from abide_rules.errors import ConfigurationError
from abide_rules.files import create_atomic, write_atomic
from abide_rules.i18n import _


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What enrolment left behind.

    ``receipt_key`` is the server's Ed25519 key (32 bytes), ``root`` the TUF root as received and ``root_sha256`` its pin
    from the token; ``ca`` is a PEM that is the only trusted authority, or empty for the system's. Times in ms.
    """

    device: str
    server: str
    group: str
    receipt_key: bytes
    root: bytes
    root_sha256: str
    ca: str
    enrolled_at: int


def is_enrolled(config: Config) -> bool:
    """Say whether there is an identity (which may still be unusable)."""
    return config.identity.exists()


def load_identity(config: Config) -> Identity:
    """Return the identity, checked against its pin. Raises ConfigurationError."""
    try:
        identity = msgspec.json.decode(config.identity.read_bytes(), type=Identity)
    except FileNotFoundError as error:
        raise ConfigurationError(
            _("this device is not enrolled"),
            advice=_("Ask your administrator for a token, then run: abide-agent enroll TOKEN"),
        ) from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unusable(config.identity, error) from error
    if hashlib.sha256(identity.root).hexdigest() != identity.root_sha256:
        raise _unusable(config.identity, "the trust root does not match its pin")
    return identity


def save_identity(config: Config, identity: Identity) -> None:
    """Write the identity; from here on the device is enrolled."""
    write_atomic(config.identity, msgspec.json.encode(identity))


def create_key(path: Path) -> Ed25519PrivateKey:
    """Make the device key, or return the one that an interrupted enrolment left. Raises ConfigurationError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        create_atomic(path, pem)
    except FileExistsError:
        return load_key(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read the device key; it must be a file that only its owner can read. Raises ConfigurationError."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(
                _("others can read the device key {path}", path=path),
                advice=_("Run: chmod 600 {path}", path=path),
            )
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(path, error) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "not an Ed25519 key")
    return key


def load_device(config: Config) -> tuple[Identity, Ed25519PrivateKey]:
    """Return identity and key that belong together. Raises ConfigurationError."""
    identity = load_identity(config)
    key = load_key(config.key)
    if device_id(key.public_key().public_bytes_raw()) != identity.device:
        raise _unusable(config.key, f"it is not the key of {identity.device}")
    return identity, key


def _unusable(path: Path, why: object) -> ConfigurationError:
    return ConfigurationError(
        _("{path} cannot be used: {why}", path=path, why=why),
        advice=_("Restore the file from a backup, or delete the state directory and enrol again."),
    )
