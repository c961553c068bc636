"""Notices at once when something happens to certain paths (watchdog), or says why it cannot.

Folders are watched, not files, and not recursively. The event filter names no event of opening, reading or closing, so
that reading what is watched wakes nobody. Import it late: watchdog costs memory and time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 0.5
EVENTS: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent, events.FileDeletedEvent, events.FileMovedEvent, events.FileModifiedEvent,
    events.FileAttribEvent, events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent, events.DirAttribEvent,
]  # fmt: skip


class Watcher(events.FileSystemEventHandler):
    """Calls ``changed``, from a thread of its own, when a path is touched. ``problem`` says what is not watched."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._observer: BaseObserver | None = None
        self._watches: dict[Path, tuple[int, ObservedWatch]] = {}
        self._paths: frozenset[str] = frozenset()
        self._written: frozenset[str] = frozenset()
        self.problem = ""

    def cover(self, paths: Iterable[Path], written: Iterable[Path]) -> None:
        """Watch ``paths``; of the ``written`` ones among them, everything but being written to. Blocks shortly."""
        places = {_place(path) for path in paths}
        folders = {place.parent for place in places}
        self._written = frozenset(str(_place(path)) for path in written)
        self._paths = frozenset(map(str, places | folders))
        problems = [self._watch(folder) for folder in sorted(folders)]
        self.problem = next(filter(None, problems), "")

    def stop(self) -> None:
        """End the threads; blocks shortly."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(STOP_TIMEOUT_S)

    def dispatch(self, event: events.FileSystemEvent) -> None:
        """Take one event of watchdog."""
        is_write = event.event_type == "modified"
        touched = self._paths.intersection(map(str, (event.src_path, event.dest_path)))
        if touched - self._written if is_write else touched:
            self._changed()

    def _watch(self, folder: Path) -> str:
        """Watch a folder unless it is watched already; return why that is not possible, or nothing."""
        try:
            inode = folder.stat().st_ino
            known = self._watches.get(folder)
            if known is not None and known[0] == inode and self._is_alive(known[1]):
                return ""
            observer = self._observe()
            if known is not None:
                observer.unschedule(self._watches.pop(folder)[1])
            self._watches[folder] = inode, observer.schedule(self, str(folder), event_filter=EVENTS)
        except OSError as error:
            log.warning("a folder cannot be watched: %s", error)
            return error.strerror or str(error)
        return ""

    def _observe(self) -> BaseObserver:
        if self._observer is None:
            observer = Observer()
            observer.start()
            self._observer = observer
        return self._observer

    def _is_alive(self, watch: ObservedWatch) -> bool:
        emitters = self._observe().emitters
        return any(emitter.watch == watch and emitter.should_keep_running() for emitter in emitters)


def _place(path: Path) -> Path:
    """Return the path with its folder as the system knows it (links followed), the last name as it stands."""
    return path.parent.resolve() / path.name
