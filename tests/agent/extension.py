"""The extension's side of the socket, and a whole agent with everything around it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from abide_agent.app import Agent, compose
from abide_agent.config import Config
from abide_agent.enrolment import enrol
from abide_rules.wire import EXTENSION_ID_CHROMIUM, EnrolmentToken
from tests.agent.standin import StandIn

ORIGIN = f"chrome-extension://{EXTENSION_ID_CHROMIUM}/"
HOUR_MS = 3_600_000


def frame(message: object) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack("=I", len(body)) + body


def observation(**changes: object) -> dict[str, object]:
    seen: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "at": time.time_ns() // 1_000_000,
        "kind": "visit",
        "service": "chatgpt",
        "host": "chatgpt.com",
        "verdict": "block",
        "rule": "bus",
        "clause": "BUS-1",
        "policy_version": 1,
        "period": "working",
        "count": False,
    }
    return seen | changes


class Extension:
    """Speaks frames over a stream pair; ``running`` closes what a test that failed has left open."""

    opened: ClassVar[list[Extension]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Self:
        made = cls(*await asyncio.open_unix_connection(str(path), limit=2**22))
        cls.opened.append(made)
        return made

    async def send(self, *messages: object) -> None:
        self.writer.write(b"".join(map(frame, messages)))
        await self.writer.drain()

    async def receive(self, kind: str = "") -> dict[str, Any]:
        """Return the next message (of a kind, skipping others)."""
        async with asyncio.timeout(20):
            while True:
                (length,) = struct.unpack("=I", await self.reader.readexactly(4))
                message: dict[str, Any] = json.loads(await self.reader.readexactly(length))
                if kind in ("", message["type"]):
                    return message

    async def ended(self) -> bool:
        try:
            async with asyncio.timeout(20):
                return await self.reader.read() == b""
        except ConnectionResetError:
            return True

    async def greet(self, browser: str = "chromium", policy_version: int = 0) -> None:
        await self.send({"type": "host", "origin": ORIGIN, "pid": 1}, hello(browser, policy_version))

    async def observe(self, *observations: dict[str, object]) -> list[str]:
        await self.send({"type": "observed", "observations": observations})
        stored: list[str] = (await self.receive("stored"))["ids"]
        return stored

    async def close(self) -> None:
        if self in self.opened:
            self.opened.remove(self)
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def hello(browser: str = "chromium", policy_version: int = 0) -> dict[str, object]:
    return {
        "type": "hello",
        "v": 1,
        "browser": browser,
        "browser_version": "156",
        "extension_version": "0.1.0",
        "policy_version": policy_version,
    }


def token(server: StandIn, **changes: object) -> EnrolmentToken:
    fields: dict[str, Any] = {
        "url": server.url,
        "id": "t1",
        "secret": "s",
        "expires": time.time_ns() // 1_000_000 + HOUR_MS,
        "group": "all",
        "root_sha256": server.repository.root_sha256,
    }
    return EnrolmentToken(**(fields | changes))


def quick(state: Path) -> Config:
    """A configuration whose waits are short."""
    return Config(
        state, backoff_first_s=0.01, backoff_most_s=0.05, refresh_interval_s=30, look_interval_s=0.1, settle_s=0.3
    )


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Agent]:
    """Run an enrolled agent in this process until the block ends."""
    async with compose(config) as agent:
        ready = asyncio.Event()
        task = asyncio.get_running_loop().create_task(agent.run(ready.set))
        try:
            async with asyncio.timeout(20):
                while not ready.is_set() and not task.done():
                    await asyncio.wait(
                        {task, asyncio.get_running_loop().create_task(ready.wait())}, return_when="FIRST_COMPLETED"
                    )
            yield agent
        finally:
            for left in tuple(Extension.opened):
                await left.close()
            agent.stop()
            await task


@asynccontextmanager
async def enrolled(config: Config, server: StandIn) -> AsyncIterator[Agent]:
    """Enrol with a server and run."""
    await enrol(config, token(server), again=False)
    async with running(config) as agent:
        yield agent
