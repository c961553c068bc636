"""``ingest_1`` and ``ingest_100``: signed events accepted and durable, one and a hundred in a request."""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple

import aiohttp

from abide_rules.events import chain, seal
from abide_rules.wire import BATCH_MEDIA_TYPE, EVENTS_PATH
from tests.bench.load import Line, Load
from tests.bench.peer import AW_SERVER
from tests.bench.processes import aw_server, cpu_seconds
from tests.bench.registry import Bench
from tests.demo.house import House
from tests.demo.programs import tool_json
from tests.server.house import Laptop, event, read_token

CONNECTIONS = 16
REQUESTS = {1: 300, 100: 60}
PEER_REQUESTS = {1: 50, 100: 12}
"""Events in a request → requests on each connection."""
PEER = "aw-server 0.12.0 (one user, no signature, no chain; closes the connection after each request)"


class Speed(NamedTuple):
    """Events a second, processor time of the server for each (µs), and how many events that comes from."""

    rate: float
    cpu_us: float
    events: int


def ingest(bench: Bench) -> None:
    """Send batches that many devices signed beforehand; then events of the same size to the peer."""
    house = House(bench.folder / "house")
    try:
        house.start_server()
        uses = str(CONNECTIONS * len(REQUESTS))
        token = tool_json("abide-server", "token", "--data", house.data, "--uses", uses)["token"]
        ours = {
            size: _send(
                bench, asyncio.run(_signed(house.url, token, size, bench.times(full, 2))), house.server.pid, size
            )
            for size, full in REQUESTS.items()
        }
    finally:
        house.close()
    theirs = _peer(bench)
    for size, speed in ours.items():
        beside = theirs.get(size)
        bench.add(f"ingest_{size}", speed.rate, "events/s", speed.events, peer=PEER, peer_value=beside and beside.rate)
        cpu = beside and beside.cpu_us
        bench.add(f"ingest_{size}_cpu", speed.cpu_us, "µs CPU/event", speed.events, peer=PEER, peer_value=cpu)


def _peer(bench: Bench) -> dict[int, Speed]:
    if (home := bench.home(AW_SERVER)) is None:
        return {}
    with aw_server(home, bench.folder) as (pid, url):
        asyncio.run(_make_buckets(url))
        return {
            size: _send(bench, _plain(url, size, bench.times(full, 2)), pid, size)
            for size, full in PEER_REQUESTS.items()
        }


def _send(bench: Bench, load: Load, pid: int, size: int) -> Speed:
    events = size * sum(len(line.bodies) for line in load.lines)
    before = cpu_seconds(pid)
    seconds = load.send(bench.folder / "load")
    return Speed(events / seconds, 1e6 * (cpu_seconds(pid) - before) / events, events)


async def _signed(url: str, token: str, size: int, requests: int) -> Load:
    """Enrol a device for each connection and sign its batches."""
    async with aiohttp.ClientSession() as session:
        laptops = [Laptop(session, url) for _ in range(CONNECTIONS)]
        for laptop in laptops:
            await laptop.enrol(read_token(token))
    return Load(
        BATCH_MEDIA_TYPE, tuple(Line(url + EVENTS_PATH, _batches(laptop, size, requests)) for laptop in laptops)
    )


def _batches(laptop: Laptop, size: int, requests: int) -> tuple[bytes, ...]:
    made, head = [], laptop.head
    for first in range(1, size * requests + 1, size):
        lines = [event(seq) for seq in range(first, first + size)]
        made.append(seal(laptop.device, laptop.key, head, first, lines, "0.1.0"))
        head = chain(head, lines)
    return tuple(made)


def _plain(url: str, size: int, requests: int) -> Load:
    """The same events as the peer takes them: a time, a duration and data of its own choice."""
    data = {key: value for key, value in json.loads(event(1)).items() if key not in {"seq", "at"}}
    one = {"timestamp": "2026-11-23T10:00:00+00:00", "duration": 0, "data": data}
    body = json.dumps([one] * size).encode()
    lines = (Line(f"{url}/api/0/buckets/{_bucket(n)}/events", (body,) * requests) for n in range(CONNECTIONS))
    return Load("application/json", tuple(lines))


async def _make_buckets(url: str) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for number in range(CONNECTIONS):
            bucket = {"client": "bench", "type": "visit", "hostname": f"laptop-{number}"}
            async with session.post(f"{url}/api/0/buckets/{_bucket(number)}", json=bucket):
                pass


def _bucket(number: int) -> str:
    return f"bench-{number}"
