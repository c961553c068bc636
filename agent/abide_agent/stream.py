"""The stream: a WebSocket over which the server nudges and the agent says what is in force."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol, assert_never

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent import __version__
from abide_agent.clock import Clock
from abide_agent.tasks import Backoff
from abide_agent.transport import Transport
from abide_agent.trouble import Trouble
from abide_rules import envelope as dsse
from abide_rules.errors import AbideError, MalformedError, TransportError
from abide_rules.wire import (
    AgentMessage,
    Challenge,
    Coverage,
    Hello,
    InForce,
    Nudge,
    ServerMessage,
    StreamProof,
    Welcome,
)

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 20
STEADY_S = 10
"""A stream that lasted so long was sound; also the longest pause after one that did not."""
CLOSED = {
    "revoked-device": "sync/revoked",
    "unknown-device": "sync/unknown-device",
    "bad-signature": "sync/unauthorized",
    "replaced by a newer stream": "sync/replaced",
    "server stops": "sync/refused",
}
"""What the server's reasons for closing a stream mean."""
_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


class Listener(Protocol):
    """Who is told what the stream brings."""

    def on_connected(self) -> None:
        """The device is known to the server; it may have something new."""

    def on_nudge(self) -> None:
        """Something was published."""

    def on_disconnected(self) -> None:
        """The stream ended; it is opened again by itself."""

    def coverage(self) -> Coverage:
        """Return what is guarded now."""

    def policy_version(self) -> int:
        """Return the version that is held."""


class Stream:
    """Keeps one stream open; ``trouble`` is told why it is not."""

    def __init__(
        self,
        device: str,
        key: Ed25519PrivateKey,
        transport: Transport,
        clock: Clock,
        listener: Listener,
        backoff: Backoff,
        trouble: Trouble,
    ) -> None:
        self._welcomed_s: float | None = None
        self._broken = backoff.at_most(STEADY_S)
        self._device = device
        self._key = key
        self._transport = transport
        self._clock = clock
        self._listener = listener
        self._backoff = backoff
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._trouble = trouble

    @property
    def connected(self) -> bool:
        """Whether the server knows that this device is here."""
        return self._socket is not None

    async def run(self) -> None:
        """Connect, listen, reconnect, for ever."""
        while True:
            try:
                await self._once()
            except AbideError as error:
                pause_s = self._pause_s()
                self._disconnected(error, pause_s)
                await asyncio.sleep(pause_s)

    def _pause_s(self) -> float:
        """Return how long to wait: longer and longer while the server is not there, or ends each stream soon."""
        if self._welcomed_s is None:
            return self._backoff.next_s()
        if time.monotonic() - self._welcomed_s > STEADY_S:
            self._broken.reset()
        return self._broken.next_s()

    async def send(self, message: AgentMessage) -> None:
        """Send if connected; what is not sent is covered by the Coverage of the next connection."""
        if self._socket is None:
            return
        try:
            await self._socket.send_str(msgspec.json.encode(message).decode())
        except (aiohttp.ClientError, OSError) as error:
            log.info("the stream broke while sending: %s", error)

    async def send_coverage(self) -> None:
        """Tell the server which browsers are guarded now."""
        await self.send(self._listener.coverage())

    async def send_in_force(self, version: int, browser: str, at_ms: int) -> None:
        """Tell the server that a version is enforced since ``at_ms`` (server time)."""
        await self.send(InForce(version, browser, at_ms))

    async def _once(self) -> None:
        self._welcomed_s = None
        socket = await self._transport.open_stream()
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._handshake(socket)
            self._backoff.reset()
            self._welcomed_s = time.monotonic()
            self._socket = socket
            self._trouble.over()
            log.info("connected to %s", self._transport.server)
            self._listener.on_connected()
            await self.send_coverage()
            while True:
                self._handle(await _receive(socket))
        except TimeoutError as error:
            raise TransportError("the server does not answer in time", code="sync/timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError(f"the stream broke: {error}") from error
        finally:
            self._socket = None
            await socket.close()

    async def _handshake(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        challenge = await _receive(socket)
        if not isinstance(challenge, Challenge):
            raise MalformedError("the server did not begin with a challenge")
        proof = msgspec.json.encode(StreamProof(self._device, challenge.nonce))
        signed = dsse.encode(dsse.sign(dsse.STREAM_TYPE, proof, self._key)).decode()
        hello = Hello(signed, __version__, self._listener.policy_version())
        await socket.send_str(msgspec.json.encode(hello).decode())
        welcome = await _receive(socket)
        if not isinstance(welcome, Welcome):
            raise MalformedError("the server did not welcome this device")
        self._clock.learn(welcome.time)

    def _handle(self, message: ServerMessage) -> None:
        match message:
            case Nudge():
                self._listener.on_nudge()
                self._clock.learn(message.time)
            case Challenge() | Welcome():
                raise MalformedError("the server repeats its greeting")
            case _:
                assert_never(message)

    def _disconnected(self, error: AbideError, pause_s: float) -> None:
        before = self._trouble.problem
        if before is None or before.detail != str(error):
            log.warning("not connected: %s", error)
        self._trouble.began(error, pause_s)
        self._listener.on_disconnected()


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> ServerMessage:
    """Return the next message. Raises TransportError at the end and MalformedError for anything else."""
    message = await socket.receive()
    if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
        reason = message.extra or f"code {socket.close_code}"
        raise TransportError(f"the server closed the stream ({reason})", code=CLOSED.get(reason, ""))
    if message.type is aiohttp.WSMsgType.ERROR:
        raise TransportError(f"the stream broke: {socket.exception()}")
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise MalformedError("the server sent something else than text")
    try:
        return _decoder.decode(message.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"the server's message does not parse: {error}") from error
