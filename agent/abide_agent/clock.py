"""What time it is, by the server's clock.

Estimate = last server time + boot time elapsed since. Setting the laptop's clock within a boot therefore changes nothing
once the server was reached. Before the first contact, and after a reboot without network, the laptop's own clock counts
(but never less than the last server time).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from abide_agent import platform
from abide_rules.files import write_atomic

log = logging.getLogger(__name__)

TOLERANCE_MS = 1_000


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of both clocks: server time and boot time (ms), and which boot it was."""

    server_ms: int
    boot_ms: int
    boot_id: str


class Clock:
    """Server time as the agent knows it; ``wall_ms``, ``boot_ms`` and ``boot_id`` are the system's clocks."""

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
        self._anchor = self._load()

    @property
    def from_server(self) -> bool:
        """Whether the estimate rests on the server's word (and not on the laptop's clock)."""
        return self._anchor is not None and self._anchor.boot_id == self._boot_id

    def now_ms(self) -> int:
        """Return the estimate of server time."""
        if self._anchor is None:
            return self._wall_ms()
        if self._anchor.boot_id != self._boot_id:
            return max(self._wall_ms(), self._anchor.server_ms)
        return self._anchor.server_ms + self._boot_ms() - self._anchor.boot_ms

    def learn(self, server_ms: int) -> None:
        """Take over the server's time; kept on disk so that a restart does not fall back to the laptop's clock."""
        was_right = self.from_server and abs(server_ms - self.now_ms()) < TOLERANCE_MS
        self._anchor = Anchor(server_ms, self._boot_ms(), self._boot_id)
        if was_right:
            return
        try:
            self._write(self._path, msgspec.json.encode(self._anchor))
        except OSError as error:
            log.warning("the server's time could not be kept: %s", error)

    def from_wall(self, wall_ms: int) -> int:
        """Convert a time read from the laptop's clock just now or earlier; never later than now."""
        return max(0, min(wall_ms + self.now_ms() - self._wall_ms(), self.now_ms()))

    def _load(self) -> Anchor | None:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._path.read_bytes(), type=Anchor)
        return None
