"""The tamper guard: what the daemon rests on stays as it is, and whoever changes it is on record.

Two kinds of things are guarded: files whose bytes the daemon knows (the :class:`~abide_agent.vault.Vault`), and what it has
open (:class:`Place`: the spool, its socket, its lock), whose names must lead to what is open. A change is noticed by the
watcher, or else by a comparison of everything once a minute; it is undone at once, and recorded.

Programs of ours that change a guarded file (``install``, ``uninstall``, ``enroll``) say so on the daemon's socket first and
hang up afterwards: in between (:meth:`Guard.changing`) nothing is compared, and then what stands there is taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from abide_agent.tasks import Tasks, Worker, wait_for
from abide_agent.vault import Vault

if TYPE_CHECKING:
    from abide_agent.watcher import Watcher

log = logging.getLogger(__name__)

UNWATCHED_INTERVAL_S = 5.0
MOST_RESTORED_A_MINUTE = 5
FIGHT_INTERVAL_S = 10.0
RETRY_S = 0.2
REPORT_INTERVAL_S = 60.0
MOST_REPORT_INTERVAL_S = 3_600.0
CALM_S = 600.0


class Tampering(msgspec.Struct, frozen=True):
    """Something that was changed and is on record: what, when last (server time, ms), how often since the start."""

    what: str
    at: int
    count: int


class Place:
    """Something that the daemon has open under ``names``, told by inode and mode; ``renew_it`` opens it anew.

    ``what`` names it without the path. What has no name when the guard starts is not guarded.
    """

    def __init__(
        self, what: str, names: Callable[[], Iterable[Path]], renew_it: Callable[[], Awaitable[object]]
    ) -> None:
        self.what = what
        self._names = names
        self._renew_it = renew_it
        self._known: list[tuple[int, int, int] | None] = []

    def take_over(self) -> None:
        """Take what is there now for what is open."""
        self._known = self._look()

    def paths(self) -> tuple[Path, ...]:
        """Return the names that must lead to what is open."""
        return tuple(self._names())

    def is_lost(self) -> bool:
        """Say whether a name leads elsewhere, or has another mode."""
        return None not in self._known and self._look() != self._known

    async def renew(self) -> None:
        """Open it anew, with nothing lost. Raises OSError."""
        await self._renew_it()
        self.take_over()

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_identity(path) for path in self.paths()]


class Fight:
    """How often one thing had to be restored: when that may happen again, and how much of it to report (times in s)."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=MOST_RESTORED_A_MINUTE)
        self._unreported = 0
        self._report_at = 0.0
        self._report_pause_s = REPORT_INTERVAL_S

    def next_s(self, now: float) -> float:
        """Return when to restore at the earliest: at once, or with pauses after many times within a minute."""
        many = len(self._recent) == MOST_RESTORED_A_MINUTE and now - self._recent[0] < REPORT_INTERVAL_S
        return self._recent[-1] + FIGHT_INTERVAL_S if many else now

    def restored(self, now: float) -> None:
        """Count one restoration."""
        if self._recent and now - self._recent[-1] > CALM_S:
            self._report_at, self._report_pause_s = now, REPORT_INTERVAL_S
        self._recent.append(now)
        self._unreported += 1

    def due_s(self) -> float | None:
        """Return when there is something to report, if there is."""
        return self._report_at if self._unreported else None

    def report(self, now: float) -> int:
        """Return how many to report now; the first at once, then sums, less and less often while it goes on."""
        if not self._unreported or now < self._report_at:
            return 0
        self._report_at = now + self._report_pause_s
        self._report_pause_s = min(2 * self._report_pause_s, MOST_REPORT_INTERVAL_S)
        return self.drain()

    def drain(self) -> int:
        """Return what was not reported yet."""
        count, self._unreported = self._unreported, 0
        return count


class Guard:
    """Guards a vault and what is open. ``report`` is told what was restored and how often.

    ``adopt`` takes over what programs of ours may have changed (called on a thread) and returns what is lost of it.
    """

    def __init__(
        self,
        vault: Vault,
        opened: Iterable[Place],
        adopt: Callable[[], Iterable[str]],
        report: Callable[[str, int], Awaitable[object]],
        interval_s: float,
    ) -> None:
        self._vault = vault
        self._opened = tuple(opened)
        self._adopt = adopt
        self._report = report
        self._interval_s = interval_s
        self._tasks = Tasks("guard")
        self._worker = Worker("guard")
        self._watcher: Watcher | None = None
        self._touched = asyncio.Event()
        self._quiet = asyncio.Lock()
        self._fights: dict[str, Fight] = {}
        self._wait_s = interval_s
        self._unwatched = "it has not begun yet"
        self._unrestored = ""

    @property
    def problem(self) -> str:
        """Why something is not guarded as it should be, or empty."""
        return self._unrestored or self._unwatched

    def start(self, on_crash: Callable[[BaseException], None]) -> None:
        """Guard until :meth:`close`; ``on_crash`` is told what ended it."""
        self._tasks = Tasks("guard", on_crash)
        self._tasks.start("rounds", self._run())

    async def _run(self) -> None:
        for thing in self._opened:
            thing.take_over()
        await self._take_over()
        while True:
            async with self._quiet:
                await self._round()
            await wait_for(self._touched, self._wait_s)

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Let a program of ours change what is guarded; what stands there at the end is taken over."""
        async with self._quiet:
            try:
                yield
            finally:
                await self._take_over()
        self._touched.set()

    async def close(self) -> None:
        """End, and report what was not reported yet."""
        await self._tasks.close()
        if self._watcher is not None:
            await self._worker.run(self._watcher.stop)
        self._worker.close()
        for what, fight in self._fights.items():
            if count := fight.drain():
                await self._report(f"file:{what}", count)

    async def _take_over(self) -> None:
        for what in await self._worker.run(self._adopt):
            self._fight(what).restored(time.monotonic())

    async def _round(self) -> None:
        """Watch what is there, restore what is changed, report."""
        self._unrestored, self._wait_s = "", self._interval_s
        await self._watch()
        for path in await self._worker.run(self._vault.changed):
            await self._restore(self._vault.name(path), functools.partial(self._worker.run, self._vault.restore, path))
        for thing in self._opened:
            if await self._worker.run(thing.is_lost):
                await self._restore(thing.what, thing.renew)
        await self._report_all()

    async def _restore(self, what: str, restore: Callable[[], Awaitable[object]]) -> None:
        fight, now = self._fight(what), time.monotonic()
        if fight.next_s(now) > now:
            self._wait_s = min(self._wait_s, fight.next_s(now) - now)
            return
        fight.restored(now)
        try:
            await restore()
        except OSError as error:
            self._unrestored = f"{what}: {error.strerror or error}"
            self._wait_s = min(self._wait_s, RETRY_S)
            log.warning("%s was changed and cannot be restored: %s", what, error)
        else:
            log.warning("%s was changed, and is restored", what)
            self._touched.set()  # for another round: its folder may be a new one, which must be watched

    async def _watch(self) -> None:
        opened = [path for thing in self._opened for path in thing.paths()]
        try:
            if self._watcher is None:
                self._watcher = await self._worker.run(_make_watcher, self._on_touched())
            await self._worker.run(self._watcher.cover, [*self._vault.paths(), *opened], opened)
            self._unwatched = self._watcher.problem
        except Exception as error:  # whatever keeps watchdog from working here, the comparison goes on
            self._unwatched = str(error) or type(error).__name__
        if self._unwatched:
            self._wait_s = min(self._wait_s, UNWATCHED_INTERVAL_S)

    async def _report_all(self) -> None:
        now = time.monotonic()
        for what, fight in self._fights.items():
            if count := fight.report(now):
                await self._report(f"file:{what}", count)
            elif (due := fight.due_s()) is not None:
                self._wait_s = min(self._wait_s, due - now)

    def _fight(self, what: str) -> Fight:
        return self._fights.setdefault(what, Fight())

    def _on_touched(self) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def touched() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._touched.set)

        return touched


def _make_watcher(changed: Callable[[], None]) -> Watcher:
    from abide_agent.watcher import Watcher

    return Watcher(changed)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mode
