"""What time it is, by the server's clock, and what the laptop's own clock does meanwhile.

Estimate = last server time + boot time elapsed since (sleep included). Until the first contact of a boot, what
the laptop's clock said at the first start of the agent stands for the server's word, but never less than what the server
said last. So setting the laptop's clock while it runs changes nothing, before a contact or after; a clock that was set
across a reboot is believed until the next contact.

Each setting is noticed all the same (:meth:`Clock.look`), and told once. Slow corrections, as of NTP, are nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from abide_agent import platform
from abide_rules.files import write_atomic

log = logging.getLogger(__name__)

TOLERANCE_MS = 1_000
JUMP_MS = 2_000
UNSEEN_JUMP_MS = 60_000
NOTICED_WITHIN_MS = 10_000
MAX_SETTINGS = 16


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of all clocks (ms): server, boot and laptop (0 = not read), and which boot it was.

    ``by_server`` is false when ``server_ms`` is what the laptop's clock said. ``ahead_ms`` is how far the laptop's clock
    should be ahead of the server's, by what was last known of both.
    """

    server_ms: int
    boot_ms: int
    boot_id: str
    wall_ms: int = 0
    by_server: bool = True
    ahead_ms: int | None = None


class Jump(msgspec.Struct, frozen=True):
    """The laptop's clock was set; ``corrected``: towards the server's."""

    way: Literal["forward", "back", "corrected"]
    by_ms: int


class Setting(msgspec.Struct, frozen=True):
    """Until when (server time, ms) the laptop's clock was how far ahead."""

    until_ms: int
    ahead_ms: int


class Clock:
    """Server time as the agent knows it; ``wall_ms``, ``boot_ms`` and ``boot_id`` are the system's clocks.

    ``changed`` is called when there is something for :meth:`take`.
    """

    def __init__(
        self,
        path: Path,
        wall_ms: Callable[[], int] = platform.wall_ms,
        boot_ms: Callable[[], int] = platform.boot_ms,
        boot_id: Callable[[], str] = platform.boot_id,
        write: Callable[[Path, bytes], None] = write_atomic,
    ) -> None:
        self._path = path
        self._write = write
        self._wall_ms = wall_ms
        self._boot_ms = boot_ms
        self._boot_id = boot_id()
        self._before: deque[Setting] = deque(maxlen=MAX_SETTINGS)
        self._jumps: list[Jump] = []
        self._moved = False
        self.changed: Callable[[], None] = lambda: None
        known = self._load()
        self._offset_ms = wall_ms() - boot_ms()
        self._ahead_ms = known.ahead_ms if known is not None else None
        if known is None or known.boot_id != self._boot_id:
            last_ms = known.server_ms if known is not None else 0
            self._keep(max(wall_ms(), last_ms), by_server=False)
        else:
            self._anchor = known
            self._offset_ms = known.wall_ms - known.boot_ms if known.wall_ms else self._offset_ms
            self._look(UNSEEN_JUMP_MS)

    @property
    def from_server(self) -> bool:
        """Whether the estimate rests on the server's word (and not on the laptop's clock)."""
        return self._anchor.by_server

    def now_ms(self) -> int:
        """Return the estimate of server time."""
        return self._anchor.server_ms + self._boot_ms() - self._anchor.boot_ms

    def learn(self, server_ms: int) -> None:
        """Take over the server's time; kept on disk so that a restart does not fall back to the laptop's clock."""
        self._look(JUMP_MS)
        moved_ms, ahead_ms = server_ms - self.now_ms(), self._wall_ms() - server_ms
        unseen_ms = ahead_ms - self._ahead_ms if self._ahead_ms is not None else 0
        was_right = self.from_server and abs(moved_ms) < TOLERANCE_MS and abs(unseen_ms) < JUMP_MS
        self._ahead_ms = ahead_ms
        self._keep(server_ms, by_server=True, on_disk=not was_right)
        if abs(moved_ms) > TOLERANCE_MS:
            moved = [Setting(s.until_ms + moved_ms, s.ahead_ms - moved_ms) for s in self._before]
            self._before = deque(moved, MAX_SETTINGS)
            self._moved = True
            self.changed()
        if abs(unseen_ms) > UNSEEN_JUMP_MS:
            self._jumped(unseen_ms)

    def look(self) -> None:
        """Notice if the laptop's clock was set since the last look."""
        self._look(JUMP_MS)

    def take(self) -> tuple[list[Jump], bool]:
        """Return, once, the jumps of the laptop's clock and whether the server's word moved the estimate."""
        taken, self._jumps, self._moved = (self._jumps, self._moved), [], False
        return taken

    def from_wall(self, wall_ms: int) -> int:
        """Convert a time read from the laptop's clock just now or earlier; never later than now.

        A time from before the clock was set is read by what the clock showed then. Where both readings are possible (an
        hour that the clock went through twice), the later one counts.
        """
        self.look()
        now_ms = self.now_ms()
        read = wall_ms - (self._wall_ms() - now_ms)
        since_ms = self._before[-1].until_ms if self._before else 0
        if since_ms - NOTICED_WITHIN_MS <= read <= now_ms:
            return read
        for n in range(len(self._before) - 1, -1, -1):
            earlier = wall_ms - self._before[n].ahead_ms
            began_ms = self._before[n - 1].until_ms if n else 0
            if began_ms <= earlier <= self._before[n].until_ms:
                return earlier
        return max(0, min(read, now_ms))

    def _look(self, jump_ms: int) -> None:
        before_ms, self._offset_ms = self._offset_ms, self._wall_ms() - self._boot_ms()
        by_ms = self._offset_ms - before_ms
        if self._ahead_ms is not None:
            self._ahead_ms += by_ms
        if abs(by_ms) > jump_ms:
            self._jumped(by_ms)

    def _jumped(self, by_ms: int) -> None:
        now_ms = self.now_ms()
        ahead_ms = self._wall_ms() - now_ms
        self._before.append(Setting(now_ms, ahead_ms - by_ms))
        is_right = self.from_server and abs(ahead_ms) < min(UNSEEN_JUMP_MS, abs(ahead_ms - by_ms))
        self._jumps.append(Jump("corrected" if is_right else "forward" if by_ms > 0 else "back", abs(by_ms)))
        self._keep(now_ms, by_server=self.from_server)  # so that it is not noticed again after a restart
        log.warning("this computer's clock was set by %d s", by_ms // 1000)
        self.changed()

    def _keep(self, server_ms: int, *, by_server: bool, on_disk: bool = True) -> None:
        self._anchor = Anchor(server_ms, self._boot_ms(), self._boot_id, self._wall_ms(), by_server, self._ahead_ms)
        if not on_disk:
            return
        try:
            self._write(self._path, msgspec.json.encode(self._anchor))
        except OSError as error:
            log.warning("the server's time could not be kept: %s", error)

    def _load(self) -> Anchor | None:
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=Anchor)
        return None
