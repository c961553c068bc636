"""The one thread that writes: many callers, one transaction, one sync to the disk (group commit).

Each job runs inside a savepoint, so that a job that raises takes back only its own writes. Nobody hears of success before
the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from abide_rules.errors import TransportError
from abide_server.store.connection import connect

MAX_JOBS_PER_COMMIT = 512

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


class _Job:
    """One caller's work and how it ended."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(connection)
        except sqlite3.Error as error:
            self.error = TransportError(f"the store cannot write now: {error}")
            connection.execute("ROLLBACK TO job")
        except Exception as error:
            self.error = error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def tell(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Runs jobs one after the other in its own thread, as many in one transaction as are waiting."""

    def __init__(self, path: Path) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection = connect(path)
        self.is_failing = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()
        self._closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` returns, after it is durable.

        Raises what ``work`` raises, or TransportError when the commit fails.
        """
        if self._closed:
            raise TransportError("the store is closed")
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        result: T = await asyncio.shield(job.future)
        return result

    async def close(self) -> None:
        """Finish all jobs that wait, then end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._connection.close()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs = [first]
            ending = False
            while len(jobs) < MAX_JOBS_PER_COMMIT and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    ending = True
                    break
                jobs.append(job)
            self._commit(jobs)
            if ending:
                return

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(self._connection)
            self._connection.execute("COMMIT")
            self.is_failing = False
        except sqlite3.Error as error:
            self.is_failing = True
            self._roll_back()
            for job in jobs:
                job.error = TransportError(f"the store cannot write now: {error}")
        for job in jobs:
            _tell(job)

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # whatever happens, this thread must go on
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _tell(job: _Job) -> None:
    loop = job.future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(job.tell)
