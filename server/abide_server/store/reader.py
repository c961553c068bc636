"""Reads beside the writer: WAL readers never wait for it. Few threads, one connection each."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from abide_rules.errors import TransportError
from abide_server.store.connection import connect

READER_THREADS = 2

T = TypeVar("T")


class Reader:
    """Runs read-only work in its own threads."""

    def __init__(self, path: Path, threads: int = READER_THREADS) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` returns. Raises TransportError when the store cannot be read now."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(self._connection()))
        except sqlite3.Error as error:
            raise TransportError(f"the store cannot be read now: {error}") from error

    async def close(self) -> None:
        """Wait for running reads, then close the connections."""
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._open:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path, read_only=True)
            self._local.connection = connection
            self._open.append(connection)
        return connection
