"""Enrolment: a token buys the registration of one key, and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from abide_rules.wire import ENROLL_PATH, MAX_ENROL_BYTES, EnrolmentToken
from abide_server.keys import load_key
from abide_server.store.base import Act
from tests.server.conftest import House
from tests.server.house import Laptop, problem


def _without_envelope(laptop: Laptop, token: EnrolmentToken) -> dict[str, Any]:
    return laptop.enrol_body(token) | {"proof": "{}"}


def _with_foreign_key(laptop: Laptop, token: EnrolmentToken) -> dict[str, Any]:
    other = Laptop(laptop.session, laptop.url)
    return laptop.enrol_body(token, public_key=base64.b64encode(other.public).decode())


CASES: dict[str, tuple[Callable[[Laptop, EnrolmentToken], dict[str, Any]], int, str]] = {
    "a wrong secret": (lambda one, token: one.enrol_body(token) | {"secret": "guess"}, 401, "bad-token"),
    "a token that does not exist": (
        lambda one, token: one.enrol_body(msgspec.structs.replace(token, id="0" * 16)),
        401,
        "bad-token",
    ),
    "a proof that is no envelope": (_without_envelope, 400, "bad-json"),
    "a proof that names another key than it is signed with": (_with_foreign_key, 401, "bad-signature"),
    "a proof made for another token": (
        lambda one, token: one.enrol_body(token, token="another"),
        401,
        "bad-signature",
    ),
    "a public key of the wrong length": (lambda one, token: one.enrol_body(token, public_key="AAAA"), 400, "bad-json"),
    "a name that is too long": (lambda one, token: one.enrol_body(token, name="x" * 201), 400, "bad-json"),
    "a field that does not exist": (lambda one, token: one.enrol_body(token) | {"admin": "yes"}, 400, "bad-json"),
    "a body over the limit": (
        lambda one, token: one.enrol_body(token) | {"secret": "x" * MAX_ENROL_BYTES},
        413,
        "too-large",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_enrolment_is_refused_with_its_own_problem(name: str, house: House) -> None:
    make, status, kind = CASES[name]
    laptop = Laptop(house.session, house.url)
    body = make(laptop, await house.token())
    async with house.session.post(house.url + ENROLL_PATH, json=body) as response:
        assert response.content_type == "application/problem+json"
        assert (response.status, problem(await response.read()).type) == (status, f"urn:abide:{kind}")
    assert await house.store.devices() == ()


async def test_an_expired_token_is_refused(house: House) -> None:
    token = await house.token(hours=1)
    house.clock.now = token.expires
    await _refused(house, Laptop(house.session, house.url), token, "expired-token")


async def test_a_token_is_good_for_so_many_devices_and_no_more(house: House) -> None:
    token = await house.token(uses=2)
    for _ in range(2):
        await Laptop(house.session, house.url).enrol(token)
    await _refused(house, Laptop(house.session, house.url), token, "used-token")


async def test_the_same_key_again_is_answered_the_same_and_uses_nothing(house: House) -> None:
    token = await house.token(uses=1)
    laptop = Laptop(house.session, house.url)
    assert await laptop.enrol(token) == await laptop.enrol(token)
    assert len(await house.store.devices()) == 1


async def test_a_revoked_key_does_not_come_back(house: House) -> None:
    token = await house.token(uses=5)
    laptop = Laptop(house.session, house.url)
    await laptop.enrol(token)
    await house.store.revoke(laptop.device, Act(house.clock.now, "admin", "revoke", laptop.device))
    await _refused(house, laptop, token, "revoked-device")


async def test_the_answer_says_who_the_device_is_and_whom_to_trust(house: House) -> None:
    laptop = Laptop(house.session, house.url)
    answer = await laptop.enrol(await house.token(group="sales"))
    receipt_key = load_key(house.data.receipt_key).public_key().public_bytes_raw()
    assert answer.device == laptop.device
    assert base64.b64decode(answer.receipt_key) == receipt_key
    assert json.loads(base64.b64decode(answer.root))["signed"]["_type"] == "root"
    (device,) = await house.store.devices()
    assert (device.group, device.public_key, device.name) == ("sales", laptop.public, "laptop-1")
    assert [act.action for act in await house.store.acts(5)] == ["enrol", "token"]


async def test_a_token_stays_good_after_the_trust_root_was_signed_again(house: House) -> None:
    token = await house.token()
    house.repository.renew(house.clock.now + 200 * 86_400_000)
    assert house.repository.root_version() == 2
    await Laptop(house.session, house.url).enrol(token)


async def test_the_secret_of_a_token_is_not_kept(house: House) -> None:
    token = await house.token()
    await house.store.ready()
    files = house.data.root.glob("abide.sqlite3*")
    assert not any(token.secret.encode() in file.read_bytes() for file in files)


async def _refused(house: House, laptop: Laptop, token: EnrolmentToken, kind: str) -> None:
    async with house.session.post(house.url + ENROLL_PATH, json=laptop.enrol_body(token)) as response:
        assert (response.status, problem(await response.read()).type) == (403, f"urn:abide:{kind}")
