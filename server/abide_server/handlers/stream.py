"""``GET /v1/stream``: the agent proves who it is, then nudges go down, confirmations and coverage come up."""

from __future__ import annotations

import asyncio
import re
import secrets

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from abide_rules import envelope as dsse
from abide_rules.errors import BadDataError, MalformedError, SignatureError
from abide_rules.wire import (
    MAX_PROBLEMS,
    MAX_STREAM_MESSAGE_BYTES,
    AgentMessage,
    Challenge,
    Coverage,
    Hello,
    InForce,
    StreamProof,
    Welcome,
)
from abide_server.context import CLOCK, DEVICE_KEYS, HUB, METRICS, STORE
from abide_server.problems import RefusedError
from abide_server.push import Stream

HELLO_TIMEOUT_S = 10.0
MAX_BROWSERS = 64
MAX_LABEL_CHARS = 64

_CODE = re.compile(r"[a-z]+/[a-z-]+")
_log = structlog.get_logger(__name__)
_message: msgspec.json.Decoder[AgentMessage] = msgspec.json.Decoder(AgentMessage)
_proof = msgspec.json.Decoder(StreamProof)


async def stream(request: web.Request) -> web.StreamResponse:
    """Hold one agent's stream until either side ends it."""
    socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=MAX_STREAM_MESSAGE_BYTES)
    await socket.prepare(request)
    try:
        device, hello = await _greet(request.app, socket)
        await _hold(request, socket, device, hello)
    except BadDataError as error:
        _log.info("stream refused", remote=request.remote, error=str(error))
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(error))
    except TimeoutError:
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"no hello in time")
    return socket


async def _greet(app: web.Application, socket: web.WebSocketResponse) -> tuple[str, Hello]:
    nonce = secrets.token_urlsafe(24)
    await _send(socket, Challenge(nonce, app[CLOCK]()))
    async with asyncio.timeout(HELLO_TIMEOUT_S):
        message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        raise MalformedError("expected a hello")
    hello = _parse(message.data)
    if not isinstance(hello, Hello):
        raise MalformedError("expected a hello")
    envelope = dsse.decode(hello.proof.encode())
    claimed = _claim(dsse.payload_bytes(envelope)).device
    key = await app[DEVICE_KEYS].get_active(claimed)
    proof = _claim(dsse.verify(envelope, dsse.STREAM_TYPE, {dsse.key_id(key): key}))
    if proof.nonce != nonce:
        raise SignatureError("the proof is for another challenge")
    return claimed, hello


async def _hold(request: web.Request, socket: web.WebSocketResponse, device: str, hello: Hello) -> None:
    app = request.app
    if request.transport is None:
        return
    held = Stream(device, socket, request.transport, app[CLOCK]())
    await app[STORE].set_seen(device, held.heard, hello.agent_version[:MAX_LABEL_CHARS])
    if hello.policy_version > 0:
        await app[STORE].set_in_force(device, "", hello.policy_version, held.heard, held.heard)
    await app[HUB].add(held)
    app[METRICS].streams.set(len(app[HUB]))
    try:
        await _send(socket, Welcome(app[HUB].version, app[CLOCK]()))
        await _listen(app, held)
    finally:
        if app[HUB].remove(held):
            await app[STORE].set_seen(device, app[CLOCK](), guarded=False)
        app[METRICS].streams.set(len(app[HUB]))


async def _listen(app: web.Application, held: Stream) -> None:
    async for message in held.socket:
        held.heard = app[CLOCK]()
        if message.type is WSMsgType.PING:
            await held.socket.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            await _take(app, held.device, _parse(message.data))
        elif message.type is not WSMsgType.PONG:
            raise MalformedError("messages are text")


async def _take(app: web.Application, device: str, message: AgentMessage) -> None:
    now = app[CLOCK]()
    match message:
        case InForce():
            _check_labels(message.browser)
            await app[STORE].set_in_force(device, message.browser, message.policy_version, min(message.at, now), now)
        case Coverage():
            if len(message.browsers) > MAX_BROWSERS:
                raise MalformedError(f"at most {MAX_BROWSERS} browsers")
            for guarded in message.browsers:
                _check_labels(guarded.browser, guarded.browser_version, guarded.extension_version)
            if len(message.problems) > MAX_PROBLEMS:
                raise MalformedError(f"at most {MAX_PROBLEMS} problems")
            _check_codes(*message.problems)
            await app[STORE].set_coverage(device, message, now)
        case Hello():
            raise MalformedError("hello comes once")


def _check_labels(*labels: str) -> None:
    if any(len(label) > MAX_LABEL_CHARS for label in labels):
        raise MalformedError(f"names have at most {MAX_LABEL_CHARS} characters")


def _check_codes(*codes: str) -> None:
    _check_labels(*codes)
    if not all(_CODE.fullmatch(code) for code in codes):
        raise MalformedError("a problem's code is like sync/dns")


async def _send(socket: web.WebSocketResponse, message: Challenge | Welcome) -> None:
    await socket.send_str(msgspec.json.encode(message).decode())


def _parse(text: str) -> AgentMessage:
    try:
        return _message.decode(text)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"not a stream message: {error}") from error


def _claim(payload: bytes) -> StreamProof:
    try:
        return _proof.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a stream proof: {error}") from error


def _reason(error: BadDataError) -> bytes:
    kind = error.kind if isinstance(error, RefusedError) else "bad-json"
    if isinstance(error, SignatureError):
        kind = "bad-signature"
    return kind.encode()
