"""Real processes: killed in the middle, published to from outside, reached over TLS, ended in order."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import unused_port

from abide_rules.events import Receipt
from abide_rules.verify import verify_export
from abide_rules.wire import ENROLL_PATH
from abide_server.config import DataDir, load_settings
from abide_server.store.sqlite import SqliteStore
from tests.server.house import NOW, Laptop, Process, make_data, policy, read_token, run, run_program

POSTERS = 4
ACKNOWLEDGED_BEFORE_KILL = 40


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return make_data(tmp_path / "data", f"http://127.0.0.1:{unused_port()}", NOW)


def _serve(data: DataDir) -> Process:
    return Process(data.root, "--port", load_settings(data).url.rpartition(":")[2])


async def _token(data: Path, uses: int = 1) -> str:
    done = await asyncio.to_thread(run, "token", "--data", str(data), "--uses", str(uses), "--json")
    return str(json.loads(done.stdout)["token"])


async def _post_until_it_dies(laptop: Laptop, enough: asyncio.Event, acknowledged: list[Receipt]) -> None:
    """Send batch after batch; remember what was acknowledged until the connection breaks."""
    while True:
        try:
            acknowledged.append(await laptop.send(2))
        except aiohttp.ClientError:
            return
        if len(acknowledged) >= ACKNOWLEDGED_BEFORE_KILL:
            enough.set()


async def test_kill_9_loses_nothing_that_was_acknowledged_and_stores_nothing_twice(
    data: DataDir, tmp_path: Path
) -> None:
    server = _serve(data)
    acknowledged: list[Receipt] = []
    async with aiohttp.ClientSession() as session:
        token = read_token(await _token(data.root, POSTERS))
        laptops = [Laptop(session, server.url) for _ in range(POSTERS)]
        for laptop in laptops:
            await laptop.enrol(token)
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for laptop in laptops:
                group.create_task(_post_until_it_dies(laptop, enough, acknowledged))
            await asyncio.wait_for(enough.wait(), 30)
            await asyncio.to_thread(server.end, kill=True)
        server = _serve(data)
        for laptop in laptops:
            await laptop.send(2)  # the batch in flight again: accepted now, or known already
            await laptop.send(1)
    await asyncio.to_thread(server.end)
    await _check_stored(data, laptops, acknowledged)
    output = tmp_path / "export.ndjson"
    assert (await asyncio.to_thread(run, "export", "-o", str(output), "--data", str(data.root))).returncode == 0
    with output.open("rb") as lines:
        verify_export(lines)


async def _check_stored(data: DataDir, laptops: list[Laptop], acknowledged: list[Receipt]) -> None:
    store = SqliteStore(data.database)
    rows = await store.latest_events(1_000_000)
    heads = {(batch.device, batch.last_seq): batch.head async for batch in store.batches()}
    devices = {device.device: device for device in await store.devices()}
    await store.close()
    for laptop in laptops:
        stored = sorted(row.seq for row in rows if row.device == laptop.device)
        assert stored == list(range(1, laptop.next_seq))
        assert (devices[laptop.device].next_seq, devices[laptop.device].head) == (laptop.next_seq, laptop.head)
    assert len(acknowledged) >= ACKNOWLEDGED_BEFORE_KILL
    assert all(heads[receipt.device, receipt.last_seq] == receipt.head for receipt in acknowledged)


async def test_a_publication_by_another_process_reaches_an_open_stream(data: DataDir, tmp_path: Path) -> None:
    server = _serve(data)
    file = tmp_path / "policy.yaml"
    file.write_text(policy())
    async with aiohttp.ClientSession() as session:
        laptop = Laptop(session, server.url)
        await laptop.enrol(read_token(await _token(data.root)))
        socket = await laptop.stream()
        assert (await socket.receive_json(timeout=5))["version"] == 1
        done = await asyncio.to_thread(run_program, "publish", str(file), "--data", str(data.root), "--json")
        assert done.returncode == 0, done.stderr
        nudge = await socket.receive_json(timeout=5)
        assert (nudge["type"], nudge["version"]) == ("nudge", 2)
        code, errors = await asyncio.to_thread(server.end)
        goodbye = await socket.receive(timeout=5)
        assert (goodbye.type, goodbye.data) == (WSMsgType.CLOSE, 1001)
    assert code == 0
    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert "nudged" in events
    assert events[-1] == "stopping"


async def test_shutdown_finishes_what_was_begun_and_ends_the_live_feed(data: DataDir) -> None:
    server = _serve(data)
    async with aiohttp.ClientSession() as session, session.get(server.url + "/live") as feed:
        await feed.content.readuntil(b"\n\n")
        code, _ = await asyncio.to_thread(server.end)
        assert code == 0
        assert await feed.content.read() == b""


async def test_over_tls_only_the_private_authority_of_the_token_is_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    port = str(unused_port())
    hosts = ("--tls-host", "127.0.0.1", "--tls-host", "localhost")
    assert run("init", "--data", str(folder), "--url", f"https://127.0.0.1:{port}", *hosts).returncode == 0
    server = Process(folder, "--port", port)
    assert server.url == f"https://127.0.0.1:{port}"
    token = read_token(await _token(folder))
    trusted = ssl.create_default_context(cadata=token.ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        laptop = Laptop(session, token.url)
        await laptop.enrol(token)
        assert (await laptop.send(3)).last_seq == 3
        socket = await laptop.stream()
        assert (await socket.receive_json(timeout=5))["type"] == "welcome"
        await socket.close()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.post(token.url + ENROLL_PATH, json={})
    assert (await asyncio.to_thread(server.end))[0] == 0


def test_a_port_that_is_taken_is_said_with_advice(data: DataDir) -> None:
    server = _serve(data)
    done = run_program("serve", "--data", str(data.root), "--port", server.url.rpartition(":")[2])
    server.end()
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "--port" in done.stderr


def test_a_certificate_that_cannot_be_read_is_an_error_and_never_plain_http(data: DataDir, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    done = run_program("serve", "--data", str(data.root), "--port", "0", "--cert", missing, "--key", missing)
    assert done.returncode == 1
    assert "cannot use the certificate" in done.stderr
