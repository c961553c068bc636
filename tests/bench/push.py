"""``push_p50`` and ``push_p99``: from a signed release in the update repository to its effect in an open tab."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.sync_api import Page

from abide_server.cli.publish import publish_source
from abide_server.config import DataDir
from tests.bench.browsers import browsers
from tests.bench.figures import percentile
from tests.bench.registry import Bench
from tests.demo.browsers import EXTENSION
from tests.demo.house import House
from tests.demo.page import WAIT_MS
from tests.demo.programs import until
from tests.demo.stand_in import StandIn
from tests.demo.story import BLOCK_PAGE, CHATGPT, WARN_PAGE

PUSHES = 100
WARM_UP = 3
BLOCK, WARN = "verdict: block\n    time: working", "verdict: warn\n    time: working"
BARE = "lower bound: a bare WebSocket message and one GET of the same bytes (nothing verified, applied or shown)"
PAINTED = "performance.timeOrigin + (performance.getEntriesByName('first-paint')[0]?.startTime ?? NaN)"


def push(bench: Bench) -> None:
    """Alternate the open tab between block and warning; each time count until the first paint of the new page."""
    pushes = bench.times(PUSHES, 4)
    house, stand_in = House(bench.folder / "house"), StandIn(bench.folder)
    try:
        house.open()
        with browsers(stand_in.flags) as open_one:
            tab = open_one(house.profile, EXTENSION).new_page()
            until("a browser is guarded", lambda: [b for b in house.status()["browsers"] if b["policy_version"]])
            tab.goto(CHATGPT, wait_until="commit")
            tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
            times = [_push(house, tab, number) for number in range(pushes + WARM_UP)][WARM_UP:]
        release = next((house.data / "tuf" / "targets").rglob("*.policy.json"))
        bare = asyncio.run(_bare(release.read_bytes(), pushes))
    finally:
        house.close()
        stand_in.close()
    for name, share in (("push_p50", 0.5), ("push_p99", 0.99)):
        bench.add(name, percentile(times, share), "ms", pushes, peer=BARE, peer_value=percentile(bare, share))


def _push(house: House, tab: Page, number: int) -> float:
    """Publish the other verdict; ms from the release lying in the repository to the first paint of the other page."""
    old, new, page = (BLOCK, WARN, WARN_PAGE) if number % 2 == 0 else (WARN, BLOCK, BLOCK_PAGE)
    house.change_policy(old, new)
    with ThreadPoolExecutor(1) as apart:  # this thread's event loop belongs to the browser's driver
        apart.submit(_publish, house).result()
    released = (house.data / "tuf" / "metadata" / "timestamp.json").stat().st_mtime * 1000
    tab.wait_for_url(page, timeout=WAIT_MS)
    painted = float(until("the new page is painted", lambda: _painted(tab)))
    return painted - released


def _publish(house: House) -> None:
    """Do what ``abide-server publish`` does, without the second that its program takes to start."""
    source = house.policy.read_bytes()
    asyncio.run(publish_source(DataDir(house.data), source, "policy.yaml", "", None, action="publish"))


def _painted(tab: Page) -> float | None:
    at = tab.evaluate(PAINTED)
    return at if isinstance(at, float | int) and at == at else None


async def _bare(body: bytes, rounds: int) -> list[float]:
    """Time a nudge and a fetch of ``body`` over loopback, with nothing around them."""
    times = []
    opened: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await opened.put(socket)
        await socket.receive()
        return socket

    async def release(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.add_routes([web.get("/stream", stream), web.get("/release", release)])
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.make_url("/stream")) as socket,
    ):
        nudger = await opened.get()
        for _ in range(rounds):
            begin = time.perf_counter()
            await nudger.send_str('{"type":"nudge"}')
            await socket.receive()
            async with session.get(server.make_url("/release")) as response:
                await response.read()
            times.append((time.perf_counter() - begin) * 1000)
    return times
