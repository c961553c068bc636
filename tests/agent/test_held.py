"""What the agent keeps of the update repository is verified from the pinned root; a table of tampering."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import msgspec
import pytest

from abide_agent.held import Held, decode_held, encode_held, verify_held
from abide_rules.errors import BadDataError, MalformedError
from abide_rules.wire import PEOPLE_TARGET, POLICY_TARGET
from tests.agent.repository import DAY, Repository, policy_bytes


def replace(**changes: object) -> Callable[[Held], Held]:
    return lambda held: msgspec.structs.replace(held, **changes)


def other() -> Held:
    repository = Repository()
    repository.publish(1)
    return repository.held()


def put_off(held: Held, field: str) -> Held:
    """Move an expiry by a century."""
    raw: bytes = getattr(held, field)
    return msgspec.structs.replace(held, **{field: raw.replace(b'"expires":"20', b'"expires":"21')})


def flip(field: str) -> Callable[[Held], Held]:
    """Change one digit of the first number in a piece, so that it still parses."""

    def change(held: Held) -> Held:
        raw: bytes = getattr(held, field)
        return msgspec.structs.replace(held, **{field: raw.replace(b'"version":1', b'"version":2')})

    return change


TAMPERING: dict[str, Callable[[Held], Held]] = {
    "the policy's bytes are edited": lambda h: msgspec.structs.replace(
        h, content=h.content.replace(b"block", b"allow")
    ),
    "the policy is another one": replace(content=policy_bytes(9, "awareness")),
    "the policy is empty": replace(content=b""),
    "the delegate's metadata is edited": flip("delegate"),
    "the targets' metadata is edited": flip("targets"),
    "the snapshot is edited": flip("snapshot"),
    "the timestamp is edited": flip("timestamp"),
    "the timestamp's expiry is put off": lambda h: put_off(h, "timestamp"),
    "the snapshot's expiry is put off": lambda h: put_off(h, "snapshot"),
    "the targets' expiry is put off": lambda h: put_off(h, "targets"),
    "the delegate's expiry is put off": lambda h: put_off(h, "delegate"),
    "the delegate is of another repository": lambda h: msgspec.structs.replace(
        h, delegate=other().delegate, content=other().content
    ),
    "everything is of another repository": lambda _h: other(),
    "a root of another repository is added": lambda h: msgspec.structs.replace(h, roots=(Repository().first_root,)),
    "the pinned root is repeated as a later one": lambda h: msgspec.structs.replace(h, roots=(h.timestamp,)),
    "the role is one that may not speak for the policy": replace(role="people"),
    "the role does not exist": replace(role="nobody"),
    "the timestamp is missing": replace(timestamp=b""),
    "the targets are not JSON": replace(targets=b"{"),
    "the snapshot is a timestamp": lambda h: msgspec.structs.replace(h, snapshot=h.timestamp),
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING.keys())
def test_what_was_tampered_with_is_refused(tamper: Callable[[Held], Held], repository: Repository) -> None:
    held = repository.held()
    verify_held(held, repository.first_root, POLICY_TARGET)
    with pytest.raises(BadDataError):
        verify_held(tamper(held), repository.first_root, POLICY_TARGET)


def test_a_proof_of_the_policy_proves_no_people(repository: Repository) -> None:
    with pytest.raises(BadDataError):
        verify_held(repository.held(), repository.first_root, PEOPLE_TARGET)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_a_key_that_root_replaced_is_followed(role: str, repository: Repository) -> None:
    old = repository.held()
    repository.rotate(role)
    repository.publish(2)
    verified = verify_held(repository.held(), repository.first_root, POLICY_TARGET)
    assert verified.content == policy_bytes(2)
    mixed = msgspec.structs.replace(repository.held(), timestamp=old.timestamp)
    with pytest.raises(BadDataError):
        verify_held(mixed, repository.first_root, POLICY_TARGET)


def test_expired_metadata_verifies_and_says_since_when() -> None:
    repository = Repository(lifetime=-DAY)
    repository.publish(1)
    verified = verify_held(repository.held(), repository.first_root, POLICY_TARGET)
    since = datetime.datetime.fromtimestamp(verified.expires_ms / 1000, datetime.UTC)
    assert since < datetime.datetime.now(datetime.UTC)


def test_what_is_kept_is_read_back_as_the_same_bytes(repository: Repository) -> None:
    assert decode_held(encode_held(repository.held(5))) == repository.held(5)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"role":1}'])
def test_a_file_that_is_no_proof_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_held(raw)
