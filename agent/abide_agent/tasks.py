"""Tasks with a name and an owner, and threads with one purpose.

Every background task belongs to a :class:`Tasks`; closing the owner cancels its tasks and waits for them. A task that
ends with an error is never silent: it is logged, and ``on_crash`` is told so that the daemon can end and be restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

log = logging.getLogger(__name__)

CLOSE_ATTEMPTS = 4
CLOSE_TIMEOUT_S = 0.4

P = ParamSpec("P")
T = TypeVar("T")


class Tasks:
    """Owner of named tasks."""

    def __init__(self, owner: str, on_crash: Callable[[BaseException], None] | None = None) -> None:
        self._owner = owner
        self._on_crash = on_crash
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``work`` in the background as ``owner/name``."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Cancel everything that still runs and wait for its end; what swallows its cancellation gets another."""
        for _attempt in range(CLOSE_ATTEMPTS):
            for task in tuple(self._tasks):
                task.cancel()
            if not self._tasks:
                return
            await asyncio.wait(tuple(self._tasks), timeout=CLOSE_TIMEOUT_S)
        if self._tasks:
            log.error("tasks that do not end: %s", ", ".join(task.get_name() for task in self._tasks))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("task %s ended: %r", task.get_name(), error, exc_info=error)
        if self._on_crash is not None:
            self._on_crash(error)


class Worker:
    """One thread that runs blocking calls in order (SQLite is used from here only)."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``call`` on the thread and return its result; its errors pass through."""
        done = self._pool.submit(call, *args, **kwargs)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Finish what was handed over, then end the thread."""
        self._pool.shutdown(wait=True)


class Backoff:
    """Delays that double from ``first_s`` to ``most_s``, each shortened by up to half at random."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    def at_most(self, most_s: float) -> Backoff:
        """Return others of the same kind that start over, and do not exceed ``most_s``."""
        return Backoff(self._first_s, min(self._most_s, most_s))

    def next_s(self) -> float:
        """Return how long to wait after one more failure."""
        whole = min(self._most_s, self._first_s * 2 ** min(self._failures, 32))
        self._failures += 1
        return float(whole * random.uniform(0.5, 1))  # noqa: S311 (jitter, no secret)

    def reset(self) -> None:
        """Start over after a success."""
        self._failures = 0


async def wait_for(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until ``event`` is set or the time is over; clear it and say whether it was set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):  # not wait_for, which can swallow a cancellation
            await event.wait()
    happened = event.is_set()
    event.clear()
    return happened
