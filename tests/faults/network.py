"""What stands between agent and server: passes everything on, until it is told to do something else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
from aiohttp import web

HOP_BY_HOP = frozenset({"connection", "content-length", "content-encoding", "transfer-encoding", "keep-alive"})
MAX_BODY_BYTES = 64 * 1024 * 1024


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> web.Response:
        """The same, as this program answers it."""
        return web.Response(status=self.status, headers=self.headers, body=self.body)


Forward = Callable[[], Awaitable[Answer]]
Fault = Callable[[web.Request, Forward], Awaitable[web.StreamResponse | None]]
"""Answers a request in its own way, having passed it on as often as it likes; None: nothing is done to this one."""


class Network:
    """A reverse proxy on its own thread, from ``port`` on loopback to the server at ``to``."""

    def __init__(self, to: str, port: int) -> None:
        self._to = to
        self._port = port
        self._fault: Fault | None = None
        self._loop = asyncio.new_event_loop()
        self._streams: set[web.WebSocketResponse] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self.met = 0
        """How many requests the fault answered."""
        self.connected = 0
        """How often a stream was opened."""

    def open(self) -> None:
        """Serve until :meth:`close`."""
        self._thread.start()
        self._run(self._open())

    def close(self) -> None:
        """Hang up and end the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, fault: Fault | None) -> None:
        """From now on do this to every request."""
        self._fault, self.met, self.connected = fault, 0, 0

    def hang_up(self) -> None:
        """End every stream."""
        self._run(self._hang_up())

    def _run(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(20)

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def _close(self) -> None:
        await self._hang_up()
        await self._runner.cleanup()
        await self._session.close()

    async def _hang_up(self) -> None:
        for stream in tuple(self._streams):
            await stream.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()

        async def forward() -> Answer:
            return await self._forward(request, body)

        if self._fault is not None:
            self.met += 1
            answer = await self._fault(request, forward)
            if answer is not None:
                return answer
            self.met -= 1
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        try:
            return (await forward()).response()
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=str(error))

    async def _forward(self, request: web.Request, body: bytes) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = f"{self._to}{request.path_qs}"
        async with self._session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return Answer(answer.status, kept, await answer.read())

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        self.connected += 1
        near = web.WebSocketResponse()
        await near.prepare(request)
        self._streams.add(near)
        try:
            async with self._session.ws_connect(f"{self._to}{request.path_qs}") as far, asyncio.TaskGroup() as both:
                both.create_task(_pump(near, far))
                both.create_task(_pump(far, near))
        finally:
            self._streams.discard(near)
            await near.close()
        return near


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
    await sink.close()
