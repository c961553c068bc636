"""The update repository: TUF metadata and targets as files, signed with whatever keys are at hand.

Source: The Update Framework specification 1.0.31 (https://theupdateframework.github.io/specification/), with consistent
snapshots. Targets delegates ``policy/*`` to the publishers' role and ``people/*`` to an online role. Files are written so
that a reader never sees a reference to something missing: target, delegated role, snapshot, and timestamp last.
Callers hold the publish lock.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import SerializationError

from abide_rules.errors import ConfigurationError
from abide_rules.files import remove_leftovers, write_atomic
from abide_rules.i18n import _
from abide_server.clock import as_datetime
from abide_server.signing import Signers

LIFETIME_DAYS = {"root": 365, "targets": 365, "policy": 365, "people": 30, "snapshot": 7, "timestamp": 1}
PUBLIC_MODE = 0o644
DELEGATED = {"policy": "policy/*", "people": "people/*"}
_PARENTS = ("root", "targets", "policy", "people")

S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


class Repository:
    """The repository in one folder (``metadata/`` and ``targets/``)."""

    def __init__(self, folder: Path, signers: Signers) -> None:
        self._metadata = folder / "metadata"
        self._targets = folder / "targets"
        self._signers = signers

    @property
    def timestamp_file(self) -> Path:
        """The file whose replacement means that something was published."""
        return self._metadata / "timestamp.json"

    def create(self, now: int) -> None:
        """Write version 1 of every role. ``now`` in ms; needs all keys."""
        root = Root(version=1, expires=_expiry("root", now), consistent_snapshot=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            root.add_key(self._signers.public(role), role)
        self._save("root", Metadata(root))
        for role in DELEGATED:
            self._save(role, Metadata(Targets(version=1, expires=_expiry(role, now))))
        targets = Targets(version=1, expires=_expiry("targets", now), delegations=self._delegations())
        self._save("targets", Metadata(targets))
        meta = {f"{role}.json": MetaFile(1) for role in ("targets", *DELEGATED)}
        self._save("snapshot", Metadata(Snapshot(version=1, expires=_expiry("snapshot", now), meta=meta)))
        self._save("timestamp", Metadata(Timestamp(version=1, expires=_expiry("timestamp", now))))

    def set_target(self, role: str, name: str, data: bytes, now: int) -> int:
        """Publish ``data`` as target ``name`` of a delegated role; return the new timestamp version.

        Raises ConfigurationError when a signing key is not here.
        """
        self.require_keys(role)
        target = TargetFile.from_data(name, data)
        folder, _slash, base = name.rpartition("/")
        (self._targets / folder).mkdir(parents=True, exist_ok=True)
        write_atomic(self._targets / folder / f"{hashlib.sha256(data).hexdigest()}.{base}", data, PUBLIC_MODE)
        metadata = self._load(role, Targets)
        metadata.signed.targets[name] = target
        self._advance(role, metadata, now)
        return self._publish(now, {role: metadata.signed.version})

    def require_keys(self, role: str) -> None:
        """Return if ``role`` can be published now. Raises ConfigurationError: a key is missing, or it is another's."""
        for needed in (role, "snapshot", "timestamp"):
            parent = self._any("targets" if needed in DELEGATED else "root").signed
            if self._signers.public(needed).keyid not in parent.get_delegated_role(needed).keyids:
                raise ConfigurationError(_("the key that was given is not the key of {role}", role=needed))

    def remove_leftovers(self) -> None:
        """Delete temporary files of publishers that were killed."""
        for folder in (self._metadata, *self._targets.glob("*/")):
            remove_leftovers(folder)

    def read_target(self, role: str, name: str) -> bytes | None:
        """Return the bytes of ``name`` that the timestamp leads to, or None when it was never published."""
        target = self._load(role, Targets, self._published(role)).signed.targets.get(name)
        if target is None:
            return None
        folder, _slash, base = name.rpartition("/")
        return (self._targets / folder / f"{target.hashes['sha256']}.{base}").read_bytes()

    def renew(self, now: int) -> int | None:
        """Sign again, with the keys that are here, what has lived half its life; return the new timestamp version.

        None: nothing was due.
        """
        due = {r for r in LIFETIME_DAYS if self._signers.can_sign(r) and self._is_due(r, now)}
        if not due:
            return None
        renewed = {role: self._renew_parent(role, now) for role in _PARENTS if role in due}
        renewed.pop("root", None)
        return self._publish(now, renewed, snapshot="snapshot" in due)

    def timestamp_version(self) -> int:
        """Return the version of timestamp.json. Raises ConfigurationError when it cannot be read."""
        return self._load("timestamp", Timestamp).signed.version

    def root(self, version: int | None = None) -> bytes:
        """Return the exact bytes of one root (the newest by default)."""
        path = self._metadata / f"{version or self.root_version()}.root.json"
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigurationError(_("cannot read {path}: {reason}", path=path, reason=error)) from error

    def root_version(self) -> int:
        """Return the version of the newest root."""
        return self._newest("root")

    def expiries(self) -> dict[str, int]:
        """Return for each role when it expires (ms)."""
        return {role: int(self._any(role).signed.expires.timestamp() * 1000) for role in LIFETIME_DAYS}

    def _delegations(self) -> Delegations:
        keys = {role: self._signers.public(role) for role in DELEGATED}
        roles = {role: DelegatedRole(role, [keys[role].keyid], 1, True, [paths]) for role, paths in DELEGATED.items()}
        return Delegations({key.keyid: key for key in keys.values()}, roles)

    def _publish(self, now: int, changed: dict[str, int], *, snapshot: bool = True) -> int:
        timestamp = self._load("timestamp", Timestamp)
        if changed or snapshot:
            newer = self._load("snapshot", Snapshot)
            newer.signed.meta |= {f"{role}.json": MetaFile(version) for role, version in changed.items()}
            self._advance("snapshot", newer, now)
            timestamp.signed.snapshot_meta = MetaFile(newer.signed.version)
        self._advance("timestamp", timestamp, now)
        return timestamp.signed.version

    def _renew_parent(self, role: str, now: int) -> int:
        metadata = self._any(role)
        self._advance(role, metadata, now)
        version: int = metadata.signed.version
        return version

    def _advance(self, role: str, metadata: Metadata[Any], now: int) -> None:
        metadata.signed.version += 1
        metadata.signed.expires = _expiry(role, now)
        self._save(role, metadata)

    def _save(self, role: str, metadata: Metadata[Any]) -> None:
        metadata.sign(self._signers.signer(role))
        name = "timestamp.json" if role == "timestamp" else f"{metadata.signed.version}.{role}.json"
        self._metadata.mkdir(parents=True, exist_ok=True)
        write_atomic(self._metadata / name, metadata.to_bytes(), PUBLIC_MODE)

    def _is_due(self, role: str, now: int) -> bool:
        expires: datetime = self._any(role).signed.expires
        left = expires - as_datetime(now)
        return left < timedelta(days=LIFETIME_DAYS[role]) / 2

    def _any(self, role: str) -> Metadata[Any]:
        kinds: dict[str, type[Any]] = {"root": Root, "snapshot": Snapshot, "timestamp": Timestamp}
        return self._load(role, kinds.get(role, Targets))

    def _published(self, role: str) -> int:
        snapshot = self._load("timestamp", Timestamp).signed.snapshot_meta.version
        return self._load("snapshot", Snapshot, snapshot).signed.meta[f"{role}.json"].version

    def _load(self, role: str, kind: type[S], version: int = 0) -> Metadata[S]:
        name = "timestamp.json" if role == "timestamp" else f"{version or self._newest(role)}.{role}.json"
        try:
            metadata: Metadata[Any] = Metadata.from_file(str(self._metadata / name))
        except (OSError, DownloadError, RepositoryError, SerializationError) as error:
            raise ConfigurationError(_("cannot read {path}: {reason}", path=name, reason=error)) from error
        if not isinstance(metadata.signed, kind):
            raise ConfigurationError(f"{name} of the update repository is not {kind.__name__}")
        return metadata

    def _newest(self, role: str) -> int:
        versions = [int(path.name.split(".", 1)[0]) for path in self._metadata.glob(f"*.{role}.json")]
        if not versions:
            raise ConfigurationError(
                _("{path} is missing", path=self._metadata / f"{role}.json"),
                advice=_("Make one with: abide-server init"),
            )
        return max(versions)


def _expiry(role: str, now: int) -> datetime:
    return as_datetime(now) + timedelta(days=LIFETIME_DAYS[role])
