"""Events up, against a server that does everything wrong: nothing is lost and nothing arrives twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent.config import Config
from abide_rules.events import GENESIS, Receipt
from abide_rules.wire import EVENTS_PATH, Problem
from tests.agent.extension import Extension, enrolled, observation
from tests.agent.standin import StandIn


def answers(status: int, body: bytes = b"", times: int = 2) -> Callable[[StandIn], None]:
    def prepare(server: StandIn) -> None:
        left = times

        def fault(request: web.Request) -> web.Response | None:
            nonlocal left
            left -= request.path == EVENTS_PATH
            return web.Response(status=status, body=body) if request.path == EVENTS_PATH and left >= 0 else None

        server.fault = fault

    return prepare


def receipts(change: Callable[[Receipt], Receipt], times: int = 2) -> Callable[[StandIn], None]:
    def prepare(server: StandIn) -> None:
        left = times

        def receipt(right: Receipt) -> Receipt:
            nonlocal left
            left -= 1
            return change(right) if left >= 0 else right

        server.receipt = receipt

    return prepare


def other_key(server: StandIn) -> None:
    right, server.key = server.key, Ed25519PrivateKey.generate()

    def receipt(receipt: Receipt) -> Receipt:
        server.key = right if server.posts > 2 else server.key
        return receipt

    server.receipt = receipt


def problem(kind: str, status: int) -> bytes:
    return msgspec.json.encode(Problem(f"urn:abide:{kind}", kind, status))


def change(**fields: object) -> Callable[[Receipt], Receipt]:
    return lambda receipt: msgspec.structs.replace(receipt, **fields)


FAULTS: dict[str, Callable[[StandIn], None]] = {
    "a 500": answers(500),
    "a 401 that says the device is unknown": answers(401, problem("unknown-device", 401)),
    "a 403 that says the device was revoked": answers(403, problem("revoked-device", 403)),
    "a 429": answers(429),
    "a 400 that finds the batch malformed": answers(400, problem("bad-json", 400)),
    "a 404": answers(404),
    "a 409 that claims a fork": answers(409, problem("fork", 409)),
    "a gap that names no event": answers(409, problem("gap", 409)),
    "a gap at the event that was sent": answers(
        409, b'{"type":"urn:abide:gap","title":"","status":409,"expected_seq":1}'
    ),
    "a gap in the future": answers(409, b'{"type":"urn:abide:gap","title":"","status":409,"expected_seq":99}'),
    "too large for three events": answers(413, problem("too-large", 413), times=1),
    "a 200 without a receipt": answers(200),
    "a 200 with a web page": answers(200, b"<html>welcome</html>"),
    "a 204": answers(204),
    "a redirect": answers(302),
    "a receipt of another device": receipts(change(device="dev-other")),
    "a receipt for fewer events": receipts(change(last_seq=0)),
    "a receipt with another head": receipts(change(head=GENESIS)),
    "a receipt for events of the future": receipts(change(last_seq=77)),
    "a receipt by another key": other_key,
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_goes_wrong_is_sent_again_and_arrives_once(name: str, config: Config, server: StandIn) -> None:
    async with enrolled(config, server) as agent:
        FAULTS[name](server)
        browser = await Extension.connect(config.socket)
        await browser.greet()
        seen = [observation() for _ in range(3)]
        assert await browser.observe(*seen) == [one["id"] for one in seen]
        await server.until(lambda: server.posts >= (3 if name.startswith("a receipt") else 1))
        while (await browser.receive("status"))["spooled"] or len(server.accepted) < 3:
            pass
        assert [event.seq for event in server.accepted] == [1, 2, 3]
        assert server.posts >= (3 if name.startswith("a receipt") else 1)
        assert config.key.exists()
        assert (await agent.snapshot()).uplink_trouble is None
        await browser.close()


async def test_a_server_restored_from_a_backup_gets_everything_again(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        for count in (1, 2, 3):
            await browser.observe(observation())
            await server.until(lambda count=count: len(server.accepted) == count)  # type: ignore[misc]
        server.next_seq, server.head, server.accepted = 1, GENESIS, []
        await browser.observe(observation())
        await server.until(lambda: len(server.accepted) == 4)
        await browser.close()
    assert [event.seq for event in server.accepted] == [1, 2, 3, 4]


async def test_a_server_that_hangs_does_not_hold_up_the_shutdown(config: Config, server: StandIn) -> None:
    reached, forever = asyncio.Event(), asyncio.Event()
    original = server.on_events

    async def hang(request: web.Request) -> web.Response:
        reached.set()
        await forever.wait()
        return await original(request)

    server.hang = hang
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.observe(observation())
        await asyncio.wait_for(reached.wait(), 10)
        await browser.close()
        stopping = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - stopping < 2
    forever.set()
