"""What a network can do to the traffic: nothing is lost, nothing is there twice, and the agent says what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from abide_agent.health import Snapshot, ask_daemon
from abide_rules.wire import EVENTS_PATH, STREAM_PATH
from tests.demo.programs import free_port, until
from tests.faults.house import FaultyHouse
from tests.faults.network import Answer, Fault, Forward, Network

SAID_S = 60
OBSERVED = 3


def answer_with(status: int, body: str, kind: str = "text/html") -> Fault:
    async def fault(_request: web.Request, _forward: Forward) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type=kind)

    return fault


async def cut_off(request: web.Request, forward: Forward) -> web.StreamResponse | None:
    """The first half of an answer, then nothing."""
    if request.path == STREAM_PATH:
        return None
    answer = await forward()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    _abort(request)
    return response


async def changed(request: web.Request, forward: Forward) -> web.StreamResponse | None:
    """An answer in which every fiftieth byte is another."""
    if request.path == STREAM_PATH:
        return None
    answer = await forward()
    body = bytes(byte ^ 1 if at % 50 == 49 else byte for at, byte in enumerate(answer.body))
    return Answer(answer.status, answer.headers, body).response()


async def hang(_request: web.Request, _forward: Forward) -> web.StreamResponse:
    """The connection stands and nothing comes, as behind a firewall that forgot it."""
    await asyncio.sleep(3_600)
    raise AssertionError


async def hang_up(request: web.Request, _forward: Forward) -> web.StreamResponse:
    """The connection is reset before there is an answer."""
    _abort(request)
    return web.Response()


async def lose_receipts(request: web.Request, forward: Forward) -> web.StreamResponse | None:
    """The server gets every batch, the agent no receipt."""
    if request.path != EVENTS_PATH:
        return None
    await forward()
    _abort(request)
    return web.Response()


async def deliver_twice(request: web.Request, forward: Forward) -> web.StreamResponse | None:
    """Every batch comes twice at the same time."""
    if request.path != EVENTS_PATH:
        return None
    first, _second = await asyncio.gather(forward(), forward())
    return first.response()


class Replay:
    """After each batch, all earlier ones come again, the oldest last."""

    def __init__(self) -> None:
        self._earlier: list[Forward] = []

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse | None:
        if request.path != EVENTS_PATH:
            return None
        answer = await forward()
        for again in reversed(self._earlier):
            assert (await again()).status in (200, 409)
        self._earlier.append(forward)
        return answer.response()


class Yesterday:
    """The update repository as it was at each file's first fetch: metadata that is rolled back, in parts."""

    def __init__(self) -> None:
        self._kept: dict[str, Answer] = {}
        self.is_on = False

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse | None:
        if request.method != "GET" or request.path == STREAM_PATH:
            return None
        if not self.is_on:
            self._kept[request.path] = await forward()
        return self._kept.get(request.path, Answer(404, {}, b"")).response()


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "the server answers 401 to everything": (answer_with(401, "no"), {"sync/unauthorized"}),
    "the server answers 500 to everything": (answer_with(500, "oops"), {"sync/server-error"}),
    "the server answers everything with a log-in page": (answer_with(200, "<html>Log in"), {"sync/portal"}),
    "every answer is cut off in the middle": (cut_off, {"sync/unreachable", "sync/nonsense"}),
    "every answer has changed bytes": (changed, {"sync/forged", "sync/nonsense"}),
    "connections are reset before there is an answer": (hang_up, {"sync/unreachable", "sync/refused"}),
    "connections stand and nothing comes": (hang, {"sync/timeout"}),
}
UNNOTICED: dict[str, Fault] = {
    "every batch comes twice at the same time": deliver_twice,
    "after each batch, all earlier ones come again in reverse": Replay(),
}


def _abort(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


class FaultyNetwork(FaultyHouse):
    """A house whose agent reaches the server through a network that can be at fault."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        super().__init__(folder, behind=f"http://127.0.0.1:{port}")
        self.network = Network(self.server_url, port)
        self.network.open()

    def codes(self) -> set[str]:
        """What the agent says is wrong."""
        answer = ask_daemon(self.state / "agent.sock")
        assert isinstance(answer, Snapshot)
        return {problem.code for problem in answer.problems}

    def close(self) -> None:
        """Stop everything."""
        super().close()
        self.network.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyNetwork]:
    house = FaultyNetwork(tmp_path_factory.mktemp("network") / "h")
    house.enrol()
    assert house.meet()
    house.browser.wait_for_version(1)
    yield house
    house.close()


def under(house: FaultyNetwork, fault: Fault) -> None:
    """Put the network under a fault, publish, record, and see that the browser still gets its plan."""
    house.network.set(fault)
    house.network.hang_up()
    house.publish()
    house.browser.meet()
    house.browser.observe(OBSERVED)
    house.browser.deliver()


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_network_is_named_and_loses_nothing(name: str, house: FaultyNetwork) -> None:
    fault, codes = FAULTS[name]
    under(house, fault)
    until("the agent says what is wrong", lambda: bool(house.codes() & codes), SAID_S)
    house.browser.meet()
    assert house.network.met > 0
    house.network.set(None)
    until("the agent says that all is well", lambda: not house.codes() & codes, SAID_S)
    house.prove()


@pytest.mark.parametrize("name", UNNOTICED)
def test_what_comes_more_than_once_is_kept_once(name: str, house: FaultyNetwork) -> None:
    under(house, UNNOTICED[name])
    for _turn in range(3):
        house.prove()
    assert house.network.met > 2
    house.network.set(None)
    house.prove()


def test_lost_receipts_are_asked_for_again(house: FaultyNetwork) -> None:
    """Every receipt is lost."""
    under(house, lose_receipts)
    until("batches come again", lambda: house.network.met > 1, SAID_S)
    assert house.waiting()
    house.network.set(None)
    house.prove()


def test_updates_that_are_rolled_back_are_refused(house: FaultyNetwork) -> None:
    """The update repository is rolled back."""
    yesterday = Yesterday()
    house.network.set(yesterday)
    house.browser.wait_for_version(house.publish())
    newest = house.browser.version
    house.network.set(None)
    house.browser.wait_for_version(house.publish())
    yesterday.is_on = True
    house.network.set(yesterday)
    house.network.hang_up()
    until("the agent says what is wrong", lambda: "sync/rolled-back" in house.codes(), SAID_S)
    house.browser.meet()
    assert house.browser.version > newest
    house.network.set(None)
    house.prove()


def test_a_stream_that_ends_at_once_is_opened_more_and_more_rarely(house: FaultyNetwork) -> None:
    """The stream ends whenever it was opened."""
    house.network.set(None)
    begin = time.monotonic()
    while time.monotonic() - begin < 20:
        house.network.hang_up()
        time.sleep(0.05)
    assert 1 <= house.network.connected <= 8
    house.prove()
