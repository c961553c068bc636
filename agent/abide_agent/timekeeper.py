"""Notices that the laptop's clock was set or its time zone changed, and tells what follows from it, once each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from abide_agent import platform
from abide_agent.clock import Clock
from abide_agent.tasks import wait_for

INTERVAL_S = 60.0
UNNOTIFIED_INTERVAL_S = 5.0
MINUTE_MS = 60_000
MAX_MINUTES = 525_600

Zone = tuple[int, ...]


class Timekeeper:
    """Looks at the clocks when the system says that one was set, and now and then.

    ``jumped`` is told the detector of a ``tamper`` event and by how many minutes; ``moved`` that the estimate of server time
    changed or the laptop's clock was set, so that whoever keeps times must be told the time again.
    """

    def __init__(
        self,
        clock: Clock,
        jumped: Callable[[str, int], Awaitable[object]],
        moved: Callable[[], Awaitable[object]],
        interval_s: float = 0,
        zone: Callable[[], Zone] = platform.zone,
    ) -> None:
        self._clock = clock
        self._jumped = jumped
        self._moved = moved
        self._interval_s = interval_s
        self._read_zone = zone
        self._zone = zone()
        self._wanted = asyncio.Event()
        clock.changed = self._wanted.set

    async def run(self) -> None:
        """Look for ever."""
        with _when_clock_is_set(self._wanted) as notified:
            interval_s = self._interval_s or (INTERVAL_S if notified else UNNOTIFIED_INTERVAL_S)
            while True:
                await self.look()
                await wait_for(self._wanted, interval_s)

    async def look(self) -> None:
        """Look at the clocks and tell what is new."""
        self._clock.look()
        jumps, moved = self._clock.take()
        if jumps or moved:
            await self._moved()
        for jump in jumps:
            await self._jumped(f"clock:{jump.way}", minutes(jump.by_ms))
        before, self._zone = self._zone, self._read_zone()
        if self._zone != before:
            largest_s = max(abs(new - old) for new, old in zip(self._zone, before, strict=True))
            await self._jumped("clock:zone", minutes(largest_s * 1000))


def minutes(by_ms: int) -> int:
    """Return how many minutes a jump has, at least one and at most a year's."""
    return max(1, min(round(by_ms / MINUTE_MS), MAX_MINUTES))


@contextlib.contextmanager
def _when_clock_is_set(event: asyncio.Event) -> Iterator[bool]:
    """Set ``event`` whenever the system's clock is set; say whether the system tells."""
    handle = platform.clock_set_handle()
    if handle is None:
        yield False
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if platform.was_clock_set(handle):
            event.set()

    loop.add_reader(handle, readable)
    try:
        yield True
    finally:
        loop.remove_reader(handle)
        platform.close_handle(handle)
