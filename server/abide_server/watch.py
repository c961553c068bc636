"""Wakes the server when timestamp.json is replaced, by whatever process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class _Handler(FileSystemEventHandler):
    """Hands the one interesting event over to the loop."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._name = name
        self._loop = loop
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the loop when the file was replaced or written."""
        path = event.dest_path if isinstance(event, FileMovedEvent) else event.src_path
        if isinstance(event, FileMovedEvent | FileClosedEvent) and Path(str(path)).name == self._name:
            self._loop.call_soon_threadsafe(self._changed.set)


@contextmanager
def watching(path: Path) -> Iterator[asyncio.Event]:
    """Yield an event that is set whenever ``path`` was replaced, while the block runs."""
    changed = asyncio.Event()
    observer = Observer()
    observer.schedule(
        _Handler(path.name, asyncio.get_running_loop(), changed),
        str(path.parent),
        event_filter=[FileMovedEvent, FileClosedEvent],
    )
    observer.start()
    try:
        yield changed
    finally:
        observer.stop()
        observer.join()
