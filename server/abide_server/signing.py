"""Who signs which TUF role: one Ed25519 key a role, in ``keys/ROLE.pem`` or wherever its owner keeps it.

``OFFLINE_ROLES`` decide what the fleet obeys; as long as none of their keys lies on the server's host, a server that is
broken into cannot forge a policy. ``ONLINE_ROLES`` must be here, because they are signed again before they expire.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from securesystemslib.signer import CryptoSigner, SSlibKey

from abide_rules.errors import ConfigurationError
from abide_server.keys import create_key, load_key

OFFLINE_ROLES = ("root", "targets", "policy")
ONLINE_ROLES = ("people", "snapshot", "timestamp")
ROLES = OFFLINE_ROLES + ONLINE_ROLES


class Signers:
    """The signing keys that can be reached now: ``keys/ROLE.pem``, or another file for a role that is named."""

    def __init__(self, folder: Path, elsewhere: Mapping[str, Path] | None = None) -> None:
        self._folder = folder
        self._elsewhere = dict(elsewhere or {})

    def create(self) -> None:
        """Make a key for every role."""
        for role in ROLES:
            create_key(self._path(role))

    def here(self) -> tuple[str, ...]:
        """Return the roles whose keys lie on this host."""
        return tuple(role for role in ROLES if (self._folder / f"{role}.pem").exists())

    def can_sign(self, role: str) -> bool:
        """Say whether the key of ``role`` can be reached (it proves nothing about what it may sign)."""
        return self._path(role).exists()

    def signer(self, role: str) -> CryptoSigner:
        """Return the signer of ``role``. Raises ConfigurationError when its key is not here."""
        return CryptoSigner(load_key(self._path(role)))

    def public(self, role: str) -> SSlibKey:
        """Return the public key of ``role``, as TUF metadata carries it."""
        key = self.signer(role).public_key
        if not isinstance(key, SSlibKey):
            raise ConfigurationError(f"the key of {role} has an unknown form")
        return key

    def _path(self, role: str) -> Path:
        return self._elsewhere.get(role, self._folder / f"{role}.pem")
