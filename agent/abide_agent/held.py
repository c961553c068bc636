"""What the agent holds of the update repository, and the proof of it: a trust core without I/O.

A :class:`Held` target carries the exact bytes of every piece of TUF metadata between the pinned root and itself, so that it
can be verified again at each load without the network. Expiry is not an error here: a policy that was once rightfully
received stays in force; :attr:`Verified.expires_ms` tells since when it is stale.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from abide_rules.errors import MalformedError, SignatureError

if TYPE_CHECKING:
    from tuf.api.metadata import Root, Targets


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One target with its proof: ``roots`` after the pinned one in order, the roles' metadata, the target's content.

    ``role`` names the delegated role, ``delegate`` is its metadata. ``refreshed_ms`` is when the server last confirmed it.
    """

    role: str
    roots: tuple[bytes, ...]
    timestamp: bytes
    snapshot: bytes
    targets: bytes
    delegate: bytes
    content: bytes
    refreshed_ms: int


class Verified(msgspec.Struct, frozen=True):
    """What a :class:`Held` proves; ``expires_ms`` is the earliest expiry in its chain."""

    content: bytes
    timestamp_version: int
    expires_ms: int
    refreshed_ms: int


def encode_held(held: Held) -> bytes:
    """Return the bytes that are kept on disk."""
    return msgspec.json.encode(held)


def decode_held(raw: bytes) -> Held:
    """Parse what was kept. Raises MalformedError; proves nothing yet."""
    try:
        return msgspec.json.decode(raw, type=Held)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a held target: {error}") from error


def verify_held(held: Held, pinned_root: bytes, target: str) -> Verified:
    """Verify the chain pinned root → roots → timestamp → snapshot → targets → delegate → content.

    Raises SignatureError when a link does not hold and MalformedError when a piece does not parse.
    """
    from tuf.api.exceptions import RepositoryError
    from tuf.api.serialization import DeserializationError

    try:
        return _verify(held, pinned_root, target)
    except DeserializationError as error:
        raise MalformedError(f"metadata does not parse: {error}") from error
    except (RepositoryError, ValueError, KeyError) as error:
        raise SignatureError(f"not signed by the trusted keys: {error}") from error


def _verify(held: Held, pinned_root: bytes, target: str) -> Verified:
    from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

    root = _follow_roots(pinned_root, held.roots)
    timestamp = Metadata[Timestamp].from_bytes(held.timestamp)
    root.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
    timestamp.signed.snapshot_meta.verify_length_and_hashes(held.snapshot)
    snapshot = Metadata[Snapshot].from_bytes(held.snapshot)
    root.verify_delegate("snapshot", snapshot.signed_bytes, snapshot.signatures)
    _same("snapshot", snapshot.signed.version, timestamp.signed.snapshot_meta.version)

    def load(name: str, raw: bytes, delegator: Root | Targets) -> Targets:
        snapshot.signed.meta[f"{name}.json"].verify_length_and_hashes(raw)
        metadata = Metadata[Targets].from_bytes(raw)
        delegator.verify_delegate(name, metadata.signed_bytes, metadata.signatures)
        _same(name, metadata.signed.version, snapshot.signed.meta[f"{name}.json"].version)
        return metadata.signed

    targets = load("targets", held.targets, root)
    if targets.delegations is None or held.role not in dict(targets.delegations.get_roles_for_target(target)):
        raise SignatureError(f"{held.role} may not speak for {target}")
    delegate = load(held.role, held.delegate, targets)
    delegate.targets[target].verify_length_and_hashes(held.content)
    expiries = [part.expires for part in (root, timestamp.signed, snapshot.signed, targets, delegate)]
    return Verified(held.content, timestamp.signed.version, _earliest_ms(expiries), held.refreshed_ms)


def _follow_roots(pinned: bytes, later: Sequence[bytes]) -> Root:
    from tuf.api.metadata import Metadata, Root

    first = Metadata[Root].from_bytes(pinned)
    first.signed.verify_delegate("root", first.signed_bytes, first.signatures)
    root = first.signed
    for raw in later:
        following = Metadata[Root].from_bytes(raw)
        root.verify_delegate("root", following.signed_bytes, following.signatures)
        following.signed.verify_delegate("root", following.signed_bytes, following.signatures)
        _same("root", following.signed.version, root.version + 1)
        root = following.signed
    return root


def _same(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise SignatureError(f"{what} has version {found}, expected {expected}")


def _earliest_ms(expiries: Sequence[datetime.datetime]) -> int:
    return int(min(expiries).timestamp() * 1000)
