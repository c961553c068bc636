"""A small server that speaks abide_rules.wire, with switches for everything that may go wrong."""

from __future__ import annotations

import asyncio
import base64
import socket as sockets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

import msgspec
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_rules import envelope as dsse
from abide_rules import events
from abide_rules.errors import ForkError, GapError
from abide_rules.wire import (
    ENROLL_PATH,
    EVENTS_PATH,
    STREAM_PATH,
    TUF_METADATA_PATH,
    TUF_TARGETS_PATH,
    AgentMessage,
    Challenge,
    EnrolmentProof,
    EnrolRequest,
    EnrolResponse,
    Hello,
    Nudge,
    Problem,
    Welcome,
)
from tests.agent.repository import Repository

Fault = Callable[[web.Request], web.StreamResponse | None]


@dataclass
class StandIn:
    """What the server knows; ``fault`` may answer any request instead, ``receipt`` may change a receipt."""

    repository: Repository
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    receipt: Callable[[events.Receipt], events.Receipt] = lambda receipt: receipt
    fault: Fault | None = None
    hang: Callable[[web.Request], Awaitable[web.Response]] | None = None
    url: str = ""
    next_seq: int = 1
    head: str = events.GENESIS
    accepted: list[events.Event] = field(default_factory=list)
    posts: int = 0
    messages: asyncio.Queue[AgentMessage] = field(default_factory=asyncio.Queue)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    streams: set[web.WebSocketResponse] = field(default_factory=set)
    welcomed: int = 0
    enrolled: bytes = b""

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    async def nudge(self) -> None:
        message = msgspec.json.encode(Nudge(self.repository.versions["timestamp"], _now_ms())).decode()
        for stream in self.streams:
            await stream.send_str(message)

    async def on_enroll(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=EnrolRequest)
        proof = msgspec.json.decode(dsse.payload_bytes(dsse.decode(body.proof.encode())), type=EnrolmentProof)
        self.enrolled = base64.b64decode(proof.public_key)
        dsse.verify(dsse.decode(body.proof.encode()), dsse.ENROLMENT_TYPE, {dsse.key_id(self.enrolled): self.enrolled})
        answer = EnrolResponse(
            device=dsse.device_id(self.enrolled),
            receipt_key=base64.b64encode(self.key.public_key().public_bytes_raw()).decode(),
            root=base64.b64encode(self.repository.first_root).decode(),
            time=_now_ms(),
        )
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def on_events(self, request: web.Request) -> web.Response:
        if self.hang is not None:
            return await self.hang(request)
        batch = events.parse_batch(await request.read())
        self.posts += 1
        try:
            is_new = events.check_follows(batch.header, self.next_seq, self.head)
        except GapError as error:
            return _problem(Problem("urn:abide:gap", "gap", 409, expected_seq=error.expected_seq))
        except ForkError as error:
            return _problem(Problem("urn:abide:fork", "fork", 409, str(error)))
        if is_new:
            self.accepted += batch.events
            self.next_seq, self.head = batch.header.last_seq + 1, batch.header.head
        receipt = self.receipt(
            events.Receipt(1, batch.header.device, batch.header.last_seq, batch.header.head, _now_ms())
        )
        async with self.changed:
            self.changed.notify_all()
        signed = dsse.sign(dsse.RECEIPT_TYPE, msgspec.json.encode(receipt), self.key)
        return web.Response(body=dsse.encode(signed), content_type="application/json")

    async def on_stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.streams.add(socket)
        try:
            await self._talk(socket)
        except ConnectionError:
            await socket.close()
        finally:
            self.streams.discard(socket)
        return socket

    async def _talk(self, socket: web.WebSocketResponse) -> None:
        await socket.send_str(msgspec.json.encode(Challenge("nonce", _now_ms())).decode())
        first = await socket.receive()
        if first.type is not WSMsgType.TEXT:
            return
        await self._tell(msgspec.json.decode(first.data, type=Hello))
        version = self.repository.versions["timestamp"]
        await socket.send_str(msgspec.json.encode(Welcome(version, _now_ms())).decode())
        self.welcomed += 1
        async with self.changed:
            self.changed.notify_all()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._tell(msgspec.json.decode(message.data, type=AgentMessage))

    async def on_tuf(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/v1/tuf/")
        if path.startswith("targets/people/") and "Signature" not in request.headers:
            return web.Response(status=401)
        found = self.repository.files.get(path)
        return web.Response(body=found) if found is not None else web.Response(status=404)

    async def _tell(self, message: AgentMessage) -> None:
        self.messages.put_nowait(message)
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def standin(repository: Repository, tls: SSLContext | None = None, port: int = 0) -> AsyncIterator[StandIn]:
    """Run one on a free port of loopback."""
    server = StandIn(repository)

    @web.middleware
    async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = server.fault(request) if server.fault is not None else None
        if answer is not None:
            async with server.changed:
                server.changed.notify_all()
        return answer if answer is not None else await handler(request)

    app = web.Application(middlewares=[faults], client_max_size=2**21)
    app.router.add_post(ENROLL_PATH, server.on_enroll)
    app.router.add_post(EVENTS_PATH, server.on_events)
    app.router.add_get(STREAM_PATH, server.on_stream)
    for path in (TUF_METADATA_PATH, TUF_TARGETS_PATH):
        app.router.add_get(path + "{tail:.+}", server.on_tuf)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = sockets.create_server(("127.0.0.1", port))
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
        yield server
    finally:
        asyncio.get_running_loop().remove_reader(listener)
        for stream in tuple(server.streams):
            await stream.close()
        for _turn in range(5):  # connections that were accepted just now get their transport, to be closed below
            await asyncio.sleep(0)
        await runner.cleanup()
        for _turn in range(5):
            await asyncio.sleep(0)


def _problem(problem: Problem) -> web.Response:
    return web.Response(
        status=problem.status, body=msgspec.json.encode(problem), content_type="application/problem+json"
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
