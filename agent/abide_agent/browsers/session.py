"""One connection to the socket: a browser's extension behind its native host, or a ``status`` command."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from abide_agent import platform
from abide_agent.browsers.codec import encode_frame, read_frame
from abide_agent.browsers.messages import (
    Changing,
    Hello,
    Host,
    InForce,
    Observed,
    Ping,
    Pong,
    RecordsMessage,
    RecordsRequest,
    Refused,
    SessionMessage,
    SnapshotRequest,
    StatusMessage,
    StoredMessage,
    TimeMessage,
    UpMessage,
    decode_message,
)
from abide_agent.bundle import bundle, origins
from abide_rules.errors import BadDataError, MalformedError, SignatureError
from abide_rules.wire import BrowserCoverage

log = logging.getLogger(__name__)

FIRST_FRAME_TIMEOUT_S = 10
SEND_TIMEOUT_S = 10
CHANGE_TIMEOUT_S = 60


class Desk(Protocol):
    """What a session needs of the agent."""

    def introduction(self) -> SessionMessage:
        """Return who signs the plans."""

    def now_ms(self) -> int:
        """Return what time it is by the server's clock."""

    async def prepare(self, account: str) -> None:
        """Make the plan of ``account``, unless it is there."""

    def plan_frame(self, account: str) -> bytes:
        """Return the plan in force for ``account`` as a frame, empty when there is none."""

    def status(self) -> StatusMessage:
        """Return what the popup shows."""

    async def snapshot(self, account: str) -> msgspec.Struct:
        """Return the health snapshot as ``account`` may see it."""

    async def record(self, account: str, browser: str, observations: list[msgspec.Raw]) -> list[str]:
        """Record observations and return the ids of those that are on disk."""

    async def in_force(self, account: str, browser: str, version: int, at_ms: int) -> None:
        """Take note that a version is enforced in a browser."""

    async def records(self, account: str, limit: int) -> RecordsMessage:
        """Return what was recorded about ``account``, newest first."""

    def changing(self) -> AbstractAsyncContextManager[None]:
        """Let a program of ours change what is guarded, until the end of the block."""

    async def coverage_changed(self) -> None:
        """Take note that a browser came, went, or enforces another version."""


class Session:
    """Serves one peer, a process of ``account``, until it goes. ``coverage`` is None until an extension said hello."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Desk, account: str) -> None:
        self.account = account
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._last_status: StatusMessage | None = None
        self._last_plan = b""
        self.coverage: BrowserCoverage | None = None
        self.has_refused = False
        """Whether the extension did not take what it was sent last."""

    async def serve(self) -> None:
        """Answer frames until the end. Raises BadDataError when the peer does not keep to the protocol."""
        async with asyncio.timeout(FIRST_FRAME_TIMEOUT_S):
            first = await read_frame(self._reader)
        if first is None:
            return
        match decode_message(first):
            case SnapshotRequest():
                await self._send(encode_frame(await self._desk.snapshot(self.account)))
            case Changing():
                await self._let_change()
            case Host(origin=origin) if origin in origins(bundle()):
                while (raw := await read_frame(self._reader)) is not None:
                    await self._answer(_lenient(raw))
            case Host(origin=origin):
                raise SignatureError(f"{origin!r} is not our extension")
            case _:
                raise MalformedError("the first frame must name the native host's origin")

    async def push(self) -> None:
        """Send plan and status if they changed since this peer last got them."""
        if self.coverage is None:
            return
        plan = self._desk.plan_frame(self.account)
        if plan and plan is not self._last_plan:
            self._last_plan = plan
            await self._send(plan)
        status = self._desk.status()
        if status != self._last_status:
            self._last_status = status
            await self._send(encode_frame(status))

    async def send_time(self) -> None:
        """Say what time it is."""
        if self.coverage is not None:
            await self._send(encode_frame(TimeMessage(self._desk.now_ms())))

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _answer(self, message: UpMessage | str) -> None:
        match message:
            case Hello():
                await self._hello(message)
            case Ping():
                await self._send(encode_frame(Pong(self._desk.now_ms())))
            case Observed(observations=observations) if self.coverage is not None:
                ids = await self._desk.record(self.account, self.coverage.browser, observations)
                await self._send(encode_frame(StoredMessage(ids)))
            case InForce(policy_version=version, at=at) if self.coverage is not None:
                self.coverage = msgspec.structs.replace(self.coverage, policy_version=version)
                self.has_refused = False
                await self._desk.in_force(self.account, self.coverage.browser, version, at)
                await self._desk.coverage_changed()
            case Refused(why=why) if self.coverage is not None:
                log.warning("%s refused what it was sent: %s", self.coverage.browser, why)
                self.has_refused = True
                await self._desk.coverage_changed()
            case RecordsRequest(limit=limit) if self.coverage is not None:
                await self._send(encode_frame(await self._desk.records(self.account, limit)))
            case _:
                log.info("ignored a message: %s", message if isinstance(message, str) else type(message).__name__)

    async def _hello(self, hello: Hello) -> None:
        self.coverage = BrowserCoverage(
            hello.browser, hello.browser_version, hello.extension_version, hello.policy_version, hello.forced
        )
        self._last_plan, self._last_status, self.has_refused = b"", None, False
        await self._send(encode_frame(self._desk.introduction()))
        await self.send_time()
        await self._desk.prepare(self.account)
        await self.push()
        await self._desk.coverage_changed()

    async def _let_change(self) -> None:
        """Let the peer change what is guarded until it hangs up, but not for ever."""
        if platform.peer_uid(self._writer.get_extra_info("socket")) not in (platform.user_id(), 0):
            raise SignatureError("another user may not change what is guarded")
        async with self._desk.changing():
            await self._send(encode_frame(Changing()))
            async with asyncio.timeout(CHANGE_TIMEOUT_S):
                await self._reader.read()

    async def _send(self, frame: bytes) -> None:
        self._writer.write(frame)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._writer.drain()
        except TimeoutError as error:
            raise BadDataError("the browser does not read what it is sent") from error


def _lenient(raw: bytes) -> UpMessage | str:
    """Return the message; one that is JSON but not what its type promises is named and ignored."""
    try:
        return decode_message(raw)
    except MalformedError as error:
        try:
            msgspec.json.decode(raw, type=msgspec.Raw)
            msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise error from None
        return str(error)
