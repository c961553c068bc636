"""Fixtures: a server in this process on a real socket, with a real SQLite file and a clock that tests may turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from abide_rules.wire import EnrolmentToken
from abide_server.app import create_app
from abide_server.config import DataDir, ServerConfig, load_settings
from abide_server.context import STORE
from abide_server.enrolment import Mint, mint
from abide_server.lock import locked
from abide_server.repository import Repository
from abide_server.signing import Signers
from abide_server.store.base import Act
from abide_server.store.sqlite import SqliteStore
from tests.server.house import NOW, Laptop, make_data, read_token


class Clock:
    """Milliseconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Locked(Repository):
    """A repository whose writers hold the publish lock, as publishers do: the running server tidies up under it."""

    def __init__(self, data: DataDir) -> None:
        super().__init__(data.tuf, Signers(data.keys))
        self._lock = data.publish_lock

    def set_target(self, role: str, name: str, data: bytes, now: int) -> int:
        with locked(self._lock):
            return super().set_target(role, name, data, now)

    def renew(self, now: int) -> int | None:
        with locked(self._lock):
            return super().renew(now)


class House:
    """A running server and what a test needs around it."""

    def __init__(self, data: DataDir, app: web.Application, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.data = data
        self.store = app[STORE]
        self.clock = clock
        self.session = session
        self.url = load_settings(data).url
        self.repository = Locked(data)

    async def token(self, *, uses: int = 1, group: str = "sales", hours: int = 1) -> EnrolmentToken:
        server = Mint(self.url, self.repository.root(), self.repository.root_version())
        text, row = mint(server, group, uses, self.clock.now, self.clock.now + hours * 3_600_000)
        await self.store.add_token(row, Act(self.clock.now, "admin", "token", row.token))
        return read_token(text)

    async def laptop(self) -> Laptop:
        laptop = Laptop(self.session, self.url)
        await laptop.enrol(await self.token())
        return laptop

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, await response.read(), dict(response.headers)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    port = unused_port()
    data = make_data(tmp_path / "data", f"http://127.0.0.1:{port}", NOW)
    clock = Clock()
    app = create_app(ServerConfig(data, load_settings(data)), SqliteStore(data.database), clock)
    server = TestServer(app, port=port)
    await server.start_server()
    async with aiohttp.ClientSession() as session:
        yield House(data, app, clock, session)
    await server.close()
