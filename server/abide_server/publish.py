"""Publishing: a policy text becomes a numbered, signed release, and the history knows who did it and why.

The release number is taken and the source is stored first, then the repository is signed, then the release is marked as
published; a crash between leaves a number that was never used, not a release without history.
"""

from __future__ import annotations

import msgspec

from abide_rules.calendar import spell_out
from abide_rules.errors import MalformedError, TooLargeError
from abide_rules.i18n import _
from abide_rules.people import encode_people
from abide_rules.people_file import parse_people
from abide_rules.policy import decode_release, encode_release
from abide_rules.policy_file import parse_policy
from abide_rules.wire import MAX_PEOPLE_BYTES, MAX_POLICY_BYTES, PEOPLE_TARGET, POLICY_TARGET
from abide_server.repository import Repository
from abide_server.store.base import Act, Release, Store


async def publish_policy(store: Store, repository: Repository, source: bytes, name: str, act: Act) -> int:
    """Validate, number, sign and publish a policy; return its release version. The caller holds the publish lock.

    What is published has its public holidays spelt out. Raises PolicyError (with every mistake), MalformedError,
    TooLargeError or ConfigurationError; nothing is published then.
    """
    text = _text(source, name, MAX_POLICY_BYTES)
    policy = parse_policy(text, name)
    repository.require_keys("policy")
    await settle(store, repository, act.at)
    version = await _next_version(store, repository)
    published = msgspec.structs.replace(policy, calendar=spell_out(policy.calendar, act.at))
    data = encode_release(version, published)
    if len(data) > MAX_POLICY_BYTES:
        raise TooLargeError(f"a release has at most {MAX_POLICY_BYTES} bytes, this one {len(data)}")
    await store.add_release(Release(version, act.at, act.actor, act.note, name, text))
    timestamp = repository.set_target("policy", POLICY_TARGET, data, act.at)
    await store.mark_published(version, timestamp, act)
    return version


async def settle(store: Store, repository: Repository, now: int) -> None:
    """Note that a release is published which the repository carries already, because a publisher died in between.

    The caller holds the publish lock.
    """
    current = repository.read_target("policy", POLICY_TARGET)
    if current is not None:
        version = decode_release(current).version
        if await store.release(version) is None:
            act = Act(now, "server", "publish", note=f"release {version} was signed by a publisher that died")
            await store.mark_published(version, repository.timestamp_version(), act)


async def publish_people(store: Store, repository: Repository, source: bytes, name: str, act: Act) -> int:
    """Validate, sign and publish who is who; return the number of bytes. The caller holds the publish lock.

    Raises PolicyError, MalformedError, TooLargeError or ConfigurationError.
    """
    data = encode_people(parse_people(_text(source, name, MAX_PEOPLE_BYTES), name))
    if len(data) > MAX_PEOPLE_BYTES:
        raise TooLargeError(f"a people file has at most {MAX_PEOPLE_BYTES} bytes, this one {len(data)}")
    repository.set_target("people", PEOPLE_TARGET, data, act.at)
    await store.record(act)
    return len(data)


async def _next_version(store: Store, repository: Repository) -> int:
    current = repository.read_target("policy", POLICY_TARGET)
    signed = decode_release(current).version if current is not None else 0
    return max(await store.last_release(), signed) + 1


def _text(source: bytes, name: str, limit: int) -> str:
    if len(source) > limit:
        raise TooLargeError(f"{name} has {len(source)} bytes, at most {limit} are allowed")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(_("{path} is not UTF-8 text", path=name), advice=_("Save it as UTF-8.")) from error
