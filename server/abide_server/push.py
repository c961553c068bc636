"""Who is connected, and how all of them learn at once that something was published.

One timer pings every stream; a stream that is silent for two pings, or whose buffer does not drain, is dropped. A second
stream of the same device replaces the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import WSCloseCode, web

from abide_rules.wire import STREAM_PING_S, Nudge
from abide_server.clock import Clock

MAX_UNSENT_BYTES = 16_384
STREAMS_PER_SLICE = 250


class Stream:
    """One agent's open stream; ``heard`` is when it last said anything (ms)."""

    def __init__(self, device: str, socket: web.WebSocketResponse, transport: asyncio.Transport, now: int) -> None:
        self.device = device
        self.socket = socket
        self.heard = now
        self._transport = transport

    def is_stuck(self) -> bool:
        """Say whether the other side has stopped reading."""
        return self._transport.is_closing() or self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES

    def drop(self) -> None:
        """End the connection without asking."""
        self._transport.abort()


class Hub:
    """All open streams of this process, by device."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._streams)

    def connected(self) -> frozenset[str]:
        """Return the devices that have a stream open."""
        return frozenset(self._streams)

    async def add(self, stream: Stream) -> None:
        """Register a stream; an older one of the same device is closed."""
        older = self._streams.get(stream.device)
        self._streams[stream.device] = stream
        if older is not None:
            await older.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"replaced by a newer stream")

    def remove(self, stream: Stream) -> bool:
        """Forget a stream; False when a newer one of its device has taken its place."""
        if self._streams.get(stream.device) is not stream:
            return False
        del self._streams[stream.device]
        return True

    async def nudge(self, version: int) -> int:
        """Tell every stream about a new timestamp version; return how many were told."""
        self.version = version
        frame = msgspec.json.encode(Nudge(version, self._clock())).decode()
        return await self._each(lambda stream: stream.socket.send_str(frame))

    async def ping(self, revoked: frozenset[str]) -> None:
        """Ping every stream once; drop the silent ones and those of revoked devices."""
        deadline = self._clock() - 2 * STREAM_PING_S * 1000
        for stream in tuple(self._streams.values()):
            if stream.heard < deadline or stream.device in revoked:
                stream.drop()
        await self._each(lambda stream: stream.socket.ping())

    async def close(self) -> None:
        """Say goodbye to every stream."""
        await self._each(lambda stream: stream.socket.close(code=WSCloseCode.GOING_AWAY, message=b"server stops"))

    async def _each(self, send: Callable[[Stream], Awaitable[object]]) -> int:
        reached = 0
        for index, stream in enumerate(tuple(self._streams.values())):
            if index % STREAMS_PER_SLICE == STREAMS_PER_SLICE - 1:
                await asyncio.sleep(0)
            if stream.is_stuck():
                stream.drop()
                continue
            try:
                await send(stream)
            except (ConnectionError, RuntimeError):
                stream.drop()
            else:
                reached += 1
        return reached
