"""The event loop is never blocked: files and the database are read elsewhere."""

from __future__ import annotations

from blockbuster import blockbuster_ctx

from abide_rules.wire import TUF_METADATA_PATH
from tests.server.conftest import House
from tests.server.house import Laptop


async def test_what_a_laptop_and_an_administrator_do_blocks_nothing(house: House) -> None:
    token = await house.token()
    laptop = Laptop(house.session, house.url)
    with blockbuster_ctx("abide_server"):
        await laptop.enrol(token)
        await laptop.send(3)
        await laptop.post(laptop.batch(first=9))
        socket = await laptop.stream(policy_version=1)
        assert (await socket.receive_json(timeout=5))["type"] == "welcome"
        for path in ("/", "/console/live.js", TUF_METADATA_PATH + "timestamp.json", "/readyz", "/metrics"):
            status, body, _ = await house.get(path)
            assert status == 200, (path, body)
        async with house.session.get(house.url + "/live") as feed:
            await feed.content.readuntil(b"\n\n")
