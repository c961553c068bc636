"""Events up: spool → signed batch → POST → receipt → marked. Whatever goes wrong, the events stay and are sent again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent import __version__
from abide_agent.clock import Clock
from abide_agent.identity import Identity
from abide_agent.outbox import Outbox, Outgoing
from abide_agent.tasks import Backoff, Worker, wait_for
from abide_agent.transport import Transport
from abide_agent.trouble import Trouble
from abide_rules import envelope as dsse
from abide_rules import events
from abide_rules.errors import AbideError, BadDataError, GapError, MalformedError, TooLargeError
from abide_rules.wire import BATCH_MEDIA_TYPE, EVENTS_PATH

log = logging.getLogger(__name__)


class Uplink:
    """Sends one batch at a time, in order. ``trouble`` is told why events wait; ``receipt_ms``: the last receipt."""

    def __init__(
        self,
        identity: Identity,
        key: Ed25519PrivateKey,
        outbox: Outbox,
        worker: Worker,
        transport: Transport,
        clock: Clock,
        backoff: Backoff,
        sent: Callable[[], None],
        trouble: Trouble,
    ) -> None:
        self._identity = identity
        self._key = key
        self._outbox = outbox
        self._worker = worker
        self._transport = transport
        self._clock = clock
        self._backoff = backoff
        self._sent = sent
        self._new = asyncio.Event()
        self._retry = asyncio.Event()
        self._receipt_keys = {dsse.key_id(identity.receipt_key): identity.receipt_key}
        self._trouble = trouble
        self.receipt_ms = 0

    def wake(self) -> None:
        """There is a new event; it is sent at once unless the last attempt failed."""
        self._new.set()

    def retry(self) -> None:
        """The server is there again: do not wait any longer."""
        self._retry.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            try:
                if await self._once():
                    continue
            except (AbideError, OSError) as error:
                pause_s = self._backoff.next_s()
                self._fail(error, pause_s)
                await wait_for(self._retry, pause_s)
            else:
                await self._new.wait()
                self._new.clear()

    async def _once(self) -> bool:
        """Send the next batch; False when nothing waits. Raises AbideError."""
        batch = await self._worker.run(self._outbox.next_batch)
        if batch is None:
            return False
        try:
            receipt = await self._send(batch)
        except GapError as error:
            await self._rewind(batch, error)
            return True
        except TooLargeError:
            if len(batch.lines) == 1:
                raise
            await self._worker.run(self._outbox.split)
            return True
        await self._worker.run(self._outbox.receive, receipt.last_seq, receipt.head, self._clock.now_ms())
        self._backoff.reset()
        self._trouble.over()
        self.receipt_ms = receipt.time
        self._sent()
        return True

    async def _send(self, batch: Outgoing) -> events.Receipt:
        raw = events.seal(self._identity.device, self._key, batch.prev, batch.first_seq, batch.lines, __version__)
        answer = await self._transport.post(EVENTS_PATH, raw, BATCH_MEDIA_TYPE)
        payload = dsse.verify(dsse.decode(answer), dsse.RECEIPT_TYPE, self._receipt_keys)
        try:
            receipt = msgspec.json.decode(payload, type=events.Receipt)
        except msgspec.MsgspecError as error:
            raise MalformedError(f"the receipt does not parse: {error}") from error
        if receipt.device != self._identity.device or receipt.last_seq < batch.last_seq:
            raise BadDataError(f"the receipt does not cover events {batch.first_seq} to {batch.last_seq}")
        return receipt

    async def _rewind(self, batch: Outgoing, gap: GapError) -> None:
        if gap.expected_seq >= batch.first_seq:
            raise BadDataError(
                f"the server asks for event {gap.expected_seq} and got {batch.first_seq}", code="sync/gap"
            )
        log.warning("the server lacks events from %d on; sending them again", gap.expected_seq)
        await self._worker.run(self._outbox.rewind, gap.expected_seq)

    def _fail(self, error: Exception, pause_s: float) -> None:
        before = self._trouble.problem
        if before is None or before.detail != str(error):
            log.warning("events wait: %s", error)
        self._trouble.began(error, pause_s)
