"""The update repository over HTTP, read by the reference client; the people only by enrolled devices."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from tuf.api.exceptions import ExpiredMetadataError
from tuf.ngclient import Updater, UpdaterConfig

from abide_rules.calendar import Schedule
from abide_rules.people import decode_people, encode_people
from abide_rules.people_file import parse_people
from abide_rules.plan import PLAN_DAYS
from abide_rules.policy import decode_release, encode_release
from abide_rules.policy_file import parse_policy
from abide_rules.wire import PEOPLE_TARGET, POLICY_TARGET, SIGNATURE_AGE_S, TUF_METADATA_PATH, TUF_TARGETS_PATH
from abide_server.publish import publish_policy
from abide_server.repository import LIFETIME_DAYS, Repository
from abide_server.requestauth import SignedRequest
from abide_server.signing import Signers
from abide_server.store.base import Act, Release
from tests.server.conftest import House
from tests.server.house import NOW, Laptop, policy, problem

DAY_MS = 86_400_000
PEOPLE = encode_people(parse_people("people:\n  - person: p-1\n    accounts: [anna]\n    groups: [sales]\n"))


def _updater(house: House, folder: Path) -> Updater:
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    return Updater(
        str(folder / "metadata"),
        house.url + TUF_METADATA_PATH,
        str(folder / "targets"),
        house.url + TUF_TARGETS_PATH,
        config=UpdaterConfig(prefix_targets_with_hash=True),
        bootstrap=house.repository.root(1),
    )


def _download(house: House, folder: Path, name: str) -> bytes | None:
    updater = _updater(house, folder)
    updater.refresh()
    found = updater.get_targetinfo(name)
    return Path(updater.download_target(found)).read_bytes() if found is not None else None


async def _publish(house: House, template: str) -> int:
    act = Act(house.clock.now, "admin", "publish")
    return await publish_policy(house.store, house.repository, policy(template).encode(), "policy.yaml", act)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "client" / "metadata").mkdir(parents=True)
    return tmp_path / "client"


async def test_the_reference_client_follows_every_release(house: House, folder: Path) -> None:
    assert await asyncio.to_thread(_download, house, folder, POLICY_TARGET) is None
    for version, template in enumerate(("strict", "balanced", "awareness"), start=1):
        assert await _publish(house, template) == version
        raw = await asyncio.to_thread(_download, house, folder, POLICY_TARGET)
        assert raw is not None
        release = decode_release(raw)
        assert (release.version, release.policy.id) == (version, template)


COMPILE = """
import sys
sys.modules["holidays"] = None  # from now on an import of it fails
from abide_rules.people import Person
from abide_rules.plan import compile_plan
from abide_rules.policy import decode_release
plan = compile_plan(decode_release(sys.stdin.buffer.read()), Person(), int(sys.argv[1]))
print(*(span.start for span in plan.timeline))
"""


async def test_a_laptop_needs_no_library_of_holidays_for_what_is_published(house: House, folder: Path) -> None:
    await _publish(house, "strict")
    raw = await asyncio.to_thread(_download, house, folder, POLICY_TARGET)
    year = dt.datetime.fromtimestamp(NOW / 1000, dt.UTC).year
    christmas = int(dt.datetime(year, 12, 24, 22, tzinfo=dt.UTC).timestamp() * 1000)
    command = [sys.executable, "-c", COMPILE, str(christmas)]
    done = await asyncio.to_thread(subprocess.run, command, input=raw, capture_output=True, check=True)
    meant = Schedule(parse_policy(policy("strict")).calendar).boundaries(christmas, christmas + PLAN_DAYS * DAY_MS)
    assert done.stdout.decode().split() == [str(start) for start, _period in meant]


async def test_a_publisher_that_died_after_signing_is_made_good_by_the_next_one(house: House) -> None:
    await _publish(house, "strict")
    await house.store.add_release(Release(2, NOW, "anna", "", "policy.yaml", policy("balanced")))
    signed = encode_release(2, parse_policy(policy("balanced")))
    house.repository.set_target("policy", POLICY_TARGET, signed, NOW)
    assert [release.version for release in await house.store.releases()] == [1]
    assert await _publish(house, "strict") == 3
    assert [release.version for release in await house.store.releases()] == [3, 2, 1]


async def test_a_publisher_that_died_before_the_timestamp_has_published_nothing(house: House, folder: Path) -> None:
    await _publish(house, "strict")
    timestamp = house.repository.timestamp_file.read_bytes()
    await _publish(house, "balanced")
    house.repository.timestamp_file.write_bytes(timestamp)
    raw = house.repository.read_target("policy", POLICY_TARGET)
    assert raw is not None
    assert decode_release(raw).version == 1
    assert await asyncio.to_thread(_download, house, folder, POLICY_TARGET) == raw
    assert await _publish(house, "awareness") == 3
    newest = await asyncio.to_thread(_download, house, folder, POLICY_TARGET)
    assert newest is not None
    assert decode_release(newest).version == 3


async def test_the_reference_client_follows_roles_that_were_signed_again(house: House, folder: Path) -> None:
    await _publish(house, "strict")
    before = await asyncio.to_thread(_download, house, folder, POLICY_TARGET)
    house.repository.renew(house.clock.now + 200 * DAY_MS)
    assert house.repository.root_version() == 2
    assert await asyncio.to_thread(_download, house, folder, POLICY_TARGET) == before


def test_nothing_is_signed_again_before_half_its_life_is_over(house: House) -> None:
    assert house.repository.renew(NOW + DAY_MS // 3) is None
    assert house.repository.timestamp_version() == 1


@pytest.mark.parametrize("role", LIFETIME_DAYS)
def test_each_role_is_signed_again_in_time(role: str, house: House) -> None:
    before = house.repository.expiries()[role]
    house.repository.renew(NOW + LIFETIME_DAYS[role] * DAY_MS * 6 // 10)
    assert house.repository.expiries()[role] > before


def test_without_the_offline_keys_only_the_online_roles_are_signed_again(house: House) -> None:
    before = house.repository.expiries()
    for role in ("root", "targets", "policy"):
        (house.data.keys / f"{role}.pem").unlink()
    Repository(house.data.tuf, Signers(house.data.keys)).renew(NOW + 300 * DAY_MS)
    after = house.repository.expiries()
    assert {role for role in LIFETIME_DAYS if after[role] != before[role]} == {"people", "snapshot", "timestamp"}


async def test_a_repository_that_nobody_signs_any_more_expires(house: House, folder: Path) -> None:
    house.repository.renew(NOW - 40 * DAY_MS)
    timestamp = house.repository.timestamp_file
    old = Repository(house.data.tuf, Signers(house.data.keys))
    old.set_target("policy", POLICY_TARGET, b"{}", NOW - 40 * DAY_MS)
    assert timestamp.exists()
    with pytest.raises(ExpiredMetadataError):
        await asyncio.to_thread(_download, house, folder, POLICY_TARGET)


FILES = {
    "the timestamp is asked for again each time": ("timestamp.json", "no-cache"),
    "a version of a role never changes": ("1.root.json", "immutable"),
}


@pytest.mark.parametrize("name", FILES)
async def test_caching(name: str, house: House) -> None:
    file, caching = FILES[name]
    status, _, headers = await house.get(TUF_METADATA_PATH + file)
    assert status == 200
    assert caching in headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        TUF_METADATA_PATH + "9.root.json",
        TUF_METADATA_PATH + "..%2F..%2Fserver.json",
        TUF_METADATA_PATH + "..%2Ftargets",
        TUF_TARGETS_PATH + "..%2F..%2Fkeys%2Fpolicy.pem",
        TUF_TARGETS_PATH + "policy/..%2F..%2F..%2Fkeys%2Freceipt.pem",
        TUF_TARGETS_PATH + "policy/policy.json",
        TUF_TARGETS_PATH + "policy",
        TUF_TARGETS_PATH + "%2Fetc%2Fpasswd",
        TUF_TARGETS_PATH + f"policy/{'0' * 64}.policy.json",
    ],
)
async def test_nothing_else_can_be_read(path: str, house: House) -> None:
    async with house.session.get(house.url + path.replace("%2F", "%252F")) as response:
        assert response.status == 404
    reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404")


def _people_path() -> str:
    return f"{TUF_TARGETS_PATH}people/{hashlib.sha256(PEOPLE).hexdigest()}.people.json"


def _signed(laptop: Laptop, url: str, **changes: Any) -> dict[str, str]:
    """Headers of a GET, signed as the agent does it."""
    request = SignedRequest("GET", url, {})
    options: dict[str, Any] = {
        "key_id": laptop.device,
        "created": dt.datetime.fromtimestamp(NOW // 1000, dt.UTC),
        "nonce": "n-1",
        "covered_component_ids": ("@method", "@target-uri"),
    } | changes
    keys = MappingKeyResolver(public_keys={}, private_keys={options["key_id"]: laptop.key})
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=keys).sign(request, **options)
    return dict(request.headers)


async def test_an_enrolled_device_reads_the_people_once_per_signature(house: House) -> None:
    house.repository.set_target("people", PEOPLE_TARGET, PEOPLE, NOW)
    laptop = await house.laptop()
    headers = _signed(laptop, house.url + _people_path())
    status, body, answer = await house.get(_people_path(), **headers)
    assert (status, decode_people(body)) == (200, decode_people(PEOPLE))
    assert answer["Cache-Control"].startswith("private")
    status, body, _ = await house.get(_people_path(), **headers)
    assert (status, problem(body).type) == (401, "urn:abide:bad-signature")
    assert "sent before" in problem(body).detail


UNSIGNED: dict[str, tuple[dict[str, Any], str]] = {
    "made too long ago": ({"created": dt.datetime.fromtimestamp(NOW // 1000 - SIGNATURE_AGE_S - 1, dt.UTC)}, "old"),
    "made in the future": ({"created": dt.datetime.fromtimestamp(NOW // 1000 + SIGNATURE_AGE_S + 1, dt.UTC)}, "old"),
    "without a nonce": ({"nonce": None}, "nonce"),
    "without the address": ({"covered_component_ids": ("@method",)}, "verify"),
    "without the method": ({"covered_component_ids": ("@target-uri",)}, "verify"),
}


@pytest.mark.parametrize("name", UNSIGNED)
async def test_the_people_are_refused_to_a_signature(name: str, house: House) -> None:
    changes, reason = UNSIGNED[name]
    house.repository.set_target("people", PEOPLE_TARGET, PEOPLE, NOW)
    laptop = await house.laptop()
    status, body, _ = await house.get(_people_path(), **_signed(laptop, house.url + _people_path(), **changes))
    assert (status, problem(body).type) == (401, "urn:abide:bad-signature")
    assert reason in problem(body).detail


async def test_the_people_are_refused_to_everybody_else(house: House) -> None:
    house.repository.set_target("people", PEOPLE_TARGET, PEOPLE, NOW)
    laptop = await house.laptop()
    stranger = Laptop(house.session, house.url)
    thief = Laptop(house.session, house.url)
    thief.device = laptop.device
    url = house.url + _people_path()
    revoked = await house.laptop()
    await house.store.revoke(revoked.device, Act(NOW, "admin", "revoke", revoked.device))
    asked = {
        "bad-signature": [
            {},
            _signed(thief, url),
            _signed(laptop, url + "?x"),
            _signed(laptop, "https://other.example/"),
        ],
        "unknown-device": [_signed(stranger, url)],
        "revoked-device": [_signed(revoked, url)],
    }
    for kind, requests in asked.items():
        for headers in requests:
            status, body, _ = await house.get(_people_path(), **headers)
            assert problem(body).type == f"urn:abide:{kind}"
            assert status in {401, 403}
