"""A TUF repository in memory, made with python-tuf's own API, that can be published to and tampered with."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from abide_agent.held import Held
from abide_rules.people import People, encode_people
from abide_rules.policy import encode_release
from abide_rules.policy_file import load_template, parse_policy
from abide_rules.wire import PEOPLE_TARGET, POLICY_TARGET

DAY = datetime.timedelta(days=1)


def policy_bytes(version: int, template: str = "strict") -> bytes:
    return encode_release(version, parse_policy(load_template(template)))


class Repository:
    """Keys, metadata and targets; ``files`` maps a path below the server's TUF paths to its bytes."""

    def __init__(self, lifetime: datetime.timedelta = 30 * DAY) -> None:
        self.files: dict[str, bytes] = {}
        self.lifetime = lifetime
        self.signers = {
            role: CryptoSigner.generate_ed25519()
            for role in ("root", "targets", "snapshot", "timestamp", "policy", "people")
        }
        self.versions = dict.fromkeys(("root", "targets", "snapshot", "timestamp", "policy", "people"), 0)
        self.contents: dict[str, dict[str, bytes]] = {"policy": {}, "people": {}}
        self.root = Root(consistent_snapshot=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            self.root.add_key(self._key(role), role)
        self.first_root = self.write_root()
        self.write_targets()

    @property
    def root_sha256(self) -> str:
        return hashlib.sha256(self.first_root).hexdigest()

    def publish(self, version: int, template: str = "strict") -> None:
        self.contents["policy"][POLICY_TARGET] = policy_bytes(version, template)
        self.release()

    def publish_people(self, people: People) -> None:
        self.contents["people"][PEOPLE_TARGET] = encode_people(people)
        self.release()

    def release(self) -> None:
        """Sign everything anew: targets of both delegations, snapshot, timestamp."""
        for role in ("policy", "people"):
            targets = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in self.contents[role].items()}
            self.files_of_role(role, Targets(self._next(role), expires=self._expires(), targets=targets))
            for path, data in self.contents[role].items():
                folder, _, name = path.rpartition("/")
                self.files[f"targets/{folder}/{hashlib.sha256(data).hexdigest()}.{name}"] = data
        meta = {f"{role}.json": MetaFile(self.versions[role]) for role in ("targets", "policy", "people")}
        self.files_of_role("snapshot", Snapshot(self._next("snapshot"), expires=self._expires(), meta=meta))
        self.write_timestamp()

    def write_timestamp(self) -> None:
        timestamp = Timestamp(
            self._next("timestamp"), expires=self._expires(), snapshot_meta=MetaFile(self.versions["snapshot"])
        )
        self.files["metadata/timestamp.json"] = self._sign("timestamp", timestamp)

    def write_root(self, *old_signers: CryptoSigner) -> bytes:
        self.root.version = self._next("root")
        self.root.expires = self._expires()
        raw = self._sign("root", self.root, *old_signers)
        self.files[f"metadata/{self.root.version}.root.json"] = raw
        return raw

    def rotate(self, role: str) -> None:
        """Replace a top-level role's key, as root, and sign the role anew."""
        old = self.signers[role]
        self.root.revoke_key(old.public_key.keyid, role)
        self.signers[role] = CryptoSigner.generate_ed25519()
        self.root.add_key(self._key(role), role)
        self.write_root(*([old] if role == "root" else []))
        self.write_targets()
        self.release()

    def write_targets(self) -> None:
        roles = {
            role: DelegatedRole(role, [self._key(role).keyid], 1, terminating=True, paths=[f"{role}/*"])
            for role in ("policy", "people")
        }
        keys = {self._key(role).keyid: self._key(role) for role in roles}
        targets = Targets(
            self._next("targets"), expires=self._expires(), targets={}, delegations=Delegations(keys, roles)
        )
        self.files_of_role("targets", targets)

    def files_of_role(self, role: str, signed: Any) -> None:
        self.files[f"metadata/{self.versions[role]}.{role}.json"] = self._sign(role, signed)

    def metadata(self, role: str) -> bytes:
        name = "timestamp.json" if role == "timestamp" else f"{self.versions[role]}.{role}.json"
        return self.files[f"metadata/{name}"]

    def held(self, refreshed_ms: int = 0) -> Held:
        """What an agent that refreshed now would keep of the policy."""
        roots = tuple(self.files[f"metadata/{n}.root.json"] for n in range(2, self.versions["root"] + 1))
        return Held(
            role="policy",
            roots=roots,
            timestamp=self.metadata("timestamp"),
            snapshot=self.metadata("snapshot"),
            targets=self.metadata("targets"),
            delegate=self.metadata("policy"),
            content=self.contents["policy"][POLICY_TARGET],
            refreshed_ms=refreshed_ms,
        )

    def _sign(self, role: str, signed: Any, *more: CryptoSigner) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        for signer in (self.signers[role], *more):
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def _key(self, role: str) -> Key:
        return self.signers[role].public_key

    def _next(self, role: str) -> int:
        self.versions[role] += 1
        return self.versions[role]

    def _expires(self) -> datetime.datetime:
        return (datetime.datetime.now(datetime.UTC) + self.lifetime).replace(microsecond=0)
