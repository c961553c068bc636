"""The socket: a table of hostile peers. None of them may harm the daemon or the other browsers."""

from __future__ import annotations

import asyncio
import stat
import struct

import pytest

from abide_agent import platform
from abide_agent.browsers import hub
from abide_agent.browsers.codec import MAX_FRAME_UP_BYTES
from abide_agent.config import Config
from abide_rules.errors import ConfigurationError
from tests.agent.extension import ORIGIN, Extension, enrolled, frame, hello, observation, running
from tests.agent.standin import StandIn

HELLO = frame(hello())

HOST = frame({"type": "host", "origin": ORIGIN, "pid": 1})

CLOSED: dict[str, bytes] = {
    "nothing": b"",
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zero length": struct.pack("=I", 0),
    "the greatest length": struct.pack("=I", 2**32 - 1) + b"x" * 100,
    "one byte more than allowed": struct.pack("=I", MAX_FRAME_UP_BYTES + 1),
    "a length that breaks off": b"\x01\x00",
    "a frame that breaks off": struct.pack("=I", 100) + b"{",
    "no JSON": frame(b"hello"),
    "not UTF-8": frame(b'{"type":"\xff\xfe"}'),
    "an array": frame([]),
    "a number as type": frame({"type": 5}),
    "no type": frame({}),
    "nesting without end": frame(b'{"type":' + b"[" * 100_000),
    "hello without naming the origin": frame(hello()),
    "the origin of another extension": frame(
        {"type": "host", "origin": "chrome-extension://" + "a" * 32 + "/", "pid": 1}
    )
    + HELLO,
    "a web page's origin": frame({"type": "host", "origin": "https://chatgpt.com", "pid": 1}) + HELLO,
    "our origin and something more": frame({"type": "host", "origin": ORIGIN + "x", "pid": 1}) + HELLO,
    "an empty origin": frame({"type": "host", "origin": "", "pid": 1}) + HELLO,
    "no JSON after the origin": HOST + frame(b"}{"),
    "an oversize frame after hello": HOST + HELLO + struct.pack("=I", 2**31),
}
IGNORED: dict[str, object] = {
    "an unknown type": {"type": "future", "x": [1]},
    "a known type with wrong fields": {"type": "observed", "observations": "all"},
    "more observations than allowed": {"type": "observed", "observations": [{}] * 1_001},
    "records without a limit": {"type": "records"},
    "records with a negative limit": {"type": "records", "limit": -1},
    "in force before the beginning": {"type": "in_force", "policy_version": -1, "at": 0},
    "in force beyond every number": {"type": "in_force", "policy_version": 2**80, "at": 0},
    "a second origin": {"type": "host", "origin": ORIGIN, "pid": 1},
    "a snapshot request in the middle": {"type": "snapshot"},
    "a plan sent upwards": {"type": "plan", "envelope": {}},
}


@pytest.mark.parametrize("data", CLOSED.values(), ids=CLOSED.keys())
async def test_who_breaks_the_protocol_is_hung_up_on(data: bytes, config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        good = await Extension.connect(config.socket)
        await good.greet()
        await good.receive("plan")
        bad = await Extension.connect(config.socket)
        bad.writer.write(data)
        bad.writer.write_eof()
        async with asyncio.timeout(5):
            answer = await bad.reader.read()
        assert (answer == b"") is (HOST + HELLO not in data)
        await bad.close()
        await good.send({"type": "ping"})
        assert await good.receive("pong")
        await good.close()


@pytest.mark.parametrize("message", IGNORED.values(), ids=IGNORED.keys())
async def test_what_is_not_understood_is_ignored(message: object, config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        seen = observation()
        await browser.send(message)
        assert await browser.observe(seen) == [seen["id"]]
        await browser.close()


async def test_fields_of_a_newer_extension_are_ignored(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.send({"type": "host", "origin": ORIGIN, "pid": 1}, hello() | {"profile": "work"})
        seen = observation(tab=5)
        assert await browser.observe(seen) == [seen["id"]]
        await browser.close()


async def test_before_hello_nothing_is_recorded(config: Config, server: StandIn) -> None:
    async with enrolled(config, server) as agent:
        browser = await Extension.connect(config.socket)
        await browser.send(
            {"type": "host", "origin": ORIGIN, "pid": 1},
            {"type": "observed", "observations": [observation()]},
            {"type": "ping"},
        )
        assert (await browser.receive())["type"] == "pong"
        assert (await agent.snapshot()).recorded == 0
        await browser.close()


async def test_socket_and_directory_are_for_their_owner_only(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        assert stat.S_IMODE(config.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(config.state.stat().st_mode) == 0o700
        assert stat.S_IMODE(config.key.stat().st_mode) == 0o600
    assert not config.socket.exists()


async def test_another_user_is_hung_up_on(config: Config, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "peer_uid", lambda _connection: 4_711)
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        browser.writer.write(HOST + HELLO)
        assert await browser.ended()
        await browser.close()


async def test_there_is_an_end_to_connections(config: Config, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MAX_SESSIONS_OF_AN_ACCOUNT", 2)
    async with enrolled(config, server):
        browsers = [await Extension.connect(config.socket) for _ in range(2)]
        for browser in browsers:
            await browser.greet()
            await browser.receive("plan")
        third = await Extension.connect(config.socket)
        assert await third.ended()
        for browser in [*browsers, third]:
            await browser.close()


async def test_a_socket_that_a_killed_daemon_left_is_replaced(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        pass
    config.socket.write_bytes(b"")
    async with running(config):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        assert await browser.receive("session")
        await browser.close()


async def test_a_path_that_is_too_long_is_an_error_with_advice(config: Config, server: StandIn) -> None:
    desk = hub.Hub(config.state / ("x" * 120), None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as caught:
        await desk.open()
    assert "--state" in caught.value.advice
