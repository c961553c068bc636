"""The stream: only enrolled devices, one per device; nudges down, confirmations up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType

from abide_rules.wire import (
    PEOPLE_TARGET,
    POLICY_TARGET,
    STREAM_PATH,
    STREAM_PING_S,
    BrowserCoverage,
    Coverage,
    InForce,
)
from abide_server.context import HUB
from abide_server.push import Hub, Stream
from abide_server.store.base import Act
from tests.server.conftest import House
from tests.server.house import Laptop


async def _welcome(house: House, **options: Any) -> tuple[Laptop, Any]:
    laptop = await house.laptop()
    socket = await laptop.stream(**options)
    assert (await socket.receive_json(timeout=5))["type"] == "welcome"
    return laptop, socket


async def _up(house: House, socket: Any, *messages: msgspec.Struct) -> None:
    """Send messages and wait until they are taken: the close that follows is answered after them."""
    for message in messages:
        await socket.send_str(msgspec.json.encode(message).decode())
    await socket.close()
    await house.store.ready()


async def test_a_device_is_welcomed_with_the_version_of_the_timestamp(house: House) -> None:
    laptop = await house.laptop()
    socket = await laptop.stream()
    assert await socket.receive_json(timeout=5) == {"type": "welcome", "version": 1, "time": house.clock.now}


async def test_a_publication_nudges_every_open_stream(house: House) -> None:
    sockets = [(await _welcome(house))[1] for _ in range(3)]
    version = house.repository.set_target("policy", POLICY_TARGET, b"{}", house.clock.now)
    for socket in sockets:
        nudge = await socket.receive_json(timeout=5)
        assert (nudge["type"], nudge["version"]) == ("nudge", version)
    assert house.repository.set_target("people", PEOPLE_TARGET, b"{}", house.clock.now) == version + 1
    assert [(await socket.receive_json(timeout=5))["version"] for socket in sockets] == [version + 1] * 3


REFUSED = {
    "a device that is not enrolled": "unknown-device",
    "a revoked device": "revoked-device",
    "a proof for another challenge": "bad-signature",
    "a proof signed with another key": "bad-signature",
    "something that is no hello": "bad-json",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_stream_is_refused_with_the_reason(name: str, house: House) -> None:
    laptop = await house.laptop()
    nonce = None
    if name == "a device that is not enrolled":
        laptop = Laptop(house.session, house.url)
    elif name == "a revoked device":
        await house.store.revoke(laptop.device, Act(house.clock.now, "admin", "revoke", laptop.device))
    elif name == "a proof for another challenge":
        nonce = "another"
    elif name == "a proof signed with another key":
        laptop.key = Laptop(house.session, house.url).key
    if name == "something that is no hello":
        socket = await house.session.ws_connect(house.url + STREAM_PATH)
        await socket.receive_json(timeout=5)
        await socket.send_str('{"type":"in_force","policy_version":1,"browser":"","at":1}')
    else:
        socket = await laptop.stream(nonce=nonce)
    message = await socket.receive(timeout=5)
    assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, REFUSED[name])


async def test_a_second_stream_replaces_the_first(house: House) -> None:
    laptop, first = await _welcome(house)
    second = await laptop.stream()
    await second.receive_json(timeout=5)
    assert (await first.receive(timeout=5)).type is WSMsgType.CLOSE
    version = house.repository.set_target("policy", POLICY_TARGET, b"{}", house.clock.now)
    assert (await second.receive_json(timeout=5))["version"] == version


async def test_a_confirmation_says_which_release_a_browser_enforces_and_since_when(house: House) -> None:
    laptop, socket = await _welcome(house)
    at = house.clock.now - 500
    later = house.clock.now - 100
    await _up(house, socket, InForce(3, "chromium", at), InForce(3, "chromium", later), InForce(3, "", at))
    rows = {row.browser: (row.device, row.version, row.since) for row in await house.store.in_force()}
    assert rows == {"chromium": (laptop.device, 3, at), "": (laptop.device, 3, at)}


async def test_a_newer_release_has_a_new_time(house: House) -> None:
    _, socket = await _welcome(house)
    await _up(house, socket, InForce(3, "firefox", house.clock.now - 9), InForce(4, "firefox", house.clock.now - 1))
    assert [(row.version, row.since) for row in await house.store.in_force()] == [(4, house.clock.now - 1)]


async def test_coverage_says_which_browsers_are_guarded_and_what_waits(house: House) -> None:
    laptop, socket = await _welcome(house)
    both = tuple(BrowserCoverage(name, "140", "0.1.0", 2) for name in ("chromium", "firefox"))
    await socket.send_str(msgspec.json.encode(Coverage(both, stale=False, spooled=0)).decode())
    one = Coverage(both[:1], stale=True, spooled=7, problems=("sync/people", "block/older-version"))
    await socket.send_str(msgspec.json.encode(one).decode())
    second = await laptop.stream()
    await second.receive_json(timeout=5)
    await socket.receive(timeout=5)
    assert {row.browser: row.guarded for row in await house.store.in_force()} == {"chromium": True, "firefox": False}
    device = await house.store.device(laptop.device)
    assert device is not None
    assert (device.stale, device.spooled) == (True, 7)
    assert device.problems == "sync/people block/older-version"


async def test_after_the_stream_ended_nothing_counts_as_guarded(house: House) -> None:
    _, socket = await _welcome(house)
    browsers = (BrowserCoverage("chromium", "140", "0.1.0", 2),)
    await _up(house, socket, Coverage(browsers, stale=False, spooled=0))
    assert [row.guarded for row in await house.store.in_force()] == [False]


def _coverage(*problems: str) -> str:
    return msgspec.json.encode(Coverage((), stale=False, spooled=0, problems=problems)).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="broken JSON"),
        pytest.param(_coverage("sync/<b>"), id="a problem that is no code"),
        pytest.param(_coverage(*["sync/dns"] * 17), id="too many problems"),
        pytest.param('{"type":"shutdown"}', id="a type that does not exist"),
        pytest.param('{"type":"in_force","policy_version":1,"browser":"%s","at":1}' % ("x" * 65), id="a name too long"),
        pytest.param("x" * 70_000, id="a message over the limit"),
    ],
)
async def test_a_message_that_is_wrong_ends_the_stream(text: str, house: House) -> None:
    _, socket = await _welcome(house)
    await socket.send_str(text)
    assert (await socket.receive(timeout=5)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert await house.store.in_force() == ()


async def test_the_server_pings_and_drops_the_silent_and_the_revoked(house: House, hub: Hub) -> None:
    speaking, socket = await _welcome(house)
    _, silent = await _welcome(house)
    revoked, gone = await _welcome(house)
    streams: dict[str, Stream] = hub._streams
    house.clock.now += 3 * STREAM_PING_S * 1000
    streams[speaking.device].heard = house.clock.now
    streams[revoked.device].heard = house.clock.now
    await hub.ping(frozenset({revoked.device}))
    assert (await silent.receive(timeout=5)).type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR}
    assert (await gone.receive(timeout=5)).type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR}
    version = house.repository.set_target("policy", POLICY_TARGET, b"{}", house.clock.now)
    assert (await socket.receive_json(timeout=5))["version"] == version


@pytest.fixture
def hub(house: House) -> Hub:
    return house.app[HUB]
