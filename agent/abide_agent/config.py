"""The agent's configuration: one frozen object, made once by the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REFRESH_INTERVAL_S = 600.0
STALE_AFTER_S = 86_400.0
RECOMPILE_AFTER_S = 72_000.0
RETENTION_DAYS = 14
SPOOL_MAX_BYTES = 64 * 1024 * 1024
SPOOL_RESERVE_BYTES = 256 * 1024
BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 300.0
SYSTEM_STATE = Path("/var/lib/abide-agent")
SYSTEM_RUNTIME = Path("/run/abide-agent")
SYSTEM_SHARED = Path("/usr/local/lib/abide-agent")
COMPARE_INTERVAL_S = 60.0
CLOCK_INTERVAL_S = 0.0
LOOK_INTERVAL_S = 10.0
SETTLE_S = 10.0


@dataclass(frozen=True)
class Config:
    """Where the agent keeps its state, and its intervals (seconds, 0 = as fits the system) and bounds (bytes, days).

    ``system``: one daemon of root's for all accounts. Then the socket lies in ``runtime``, and what every account's
    browsers must read in ``shared``.
    """

    state: Path
    system: bool = False
    """Whether the daemon serves every account of the laptop (it then runs as root)."""
    runtime: Path | None = None
    """Where the socket lies, when not with the state: a directory that every account may enter."""
    shared: Path | None = None
    """Where files lie that every account's browsers must read, when not with the state."""
    refresh_interval_s: float = REFRESH_INTERVAL_S
    stale_after_s: float = STALE_AFTER_S
    recompile_after_s: float = RECOMPILE_AFTER_S
    retention_days: int = RETENTION_DAYS
    spool_max_bytes: int = SPOOL_MAX_BYTES
    spool_reserve_bytes: int = SPOOL_RESERVE_BYTES
    backoff_first_s: float = BACKOFF_FIRST_S
    backoff_most_s: float = BACKOFF_MOST_S
    compare_interval_s: float = COMPARE_INTERVAL_S
    clock_interval_s: float = CLOCK_INTERVAL_S
    look_interval_s: float = LOOK_INTERVAL_S
    """How often the daemon looks at its own health when nothing happens."""
    settle_s: float = SETTLE_S
    """How long a browser may take until it enforces the newest policy."""

    @property
    def socket(self) -> Path:
        """The Unix socket that native hosts, ``status`` and ``doctor`` connect to."""
        return (self.runtime or self.state) / "agent.sock"

    @property
    def lock(self) -> Path:
        """Held by the one daemon of this state directory."""
        return self.state / "agent.lock"

    @property
    def key(self) -> Path:
        """The device's private key (PEM, 0600)."""
        return self.state / "device.key"

    @property
    def identity(self) -> Path:
        """Who this device is and whom it trusts; there once it is enrolled."""
        return self.state / "identity.json"

    @property
    def spool(self) -> Path:
        """The events (SQLite)."""
        return self.state / "spool.sqlite"

    @property
    def tuf(self) -> Path:
        """Working files of the TUF client; may be deleted at any time."""
        return self.state / "tuf"

    @property
    def policy(self) -> Path:
        """The release that is in force, with everything needed to verify it."""
        return self.state / "policy.held"

    @property
    def people(self) -> Path:
        """The people file that is in force, with everything needed to verify it."""
        return self.state / "people.held"

    @property
    def clock(self) -> Path:
        """The last word of the server about the time."""
        return self.state / "clock.json"

    @property
    def installed(self) -> Path:
        """What ``install`` wrote outside of the state directory."""
        return self.state / "installed.json"

    @property
    def wrapper(self) -> Path:
        """The script that browsers start as native host."""
        return (self.shared or self.state) / "native-host"

    @property
    def update_manifest(self) -> Path:
        """What Chromium reads to find the extension that was installed with the agent."""
        return (self.shared or self.state) / "update.xml"

    @property
    def choices(self) -> Path:
        """What ``install --system`` was told, so that it can be told again."""
        return self.state / "choices.json"


def system_config(root: Path = Path("/")) -> Config:
    """Return the configuration of the one daemon for all accounts; ``root`` is another root folder, for tests."""
    below = (root / path.relative_to("/") for path in (SYSTEM_STATE, SYSTEM_RUNTIME, SYSTEM_SHARED))
    state, runtime, shared = below
    return Config(state, system=True, runtime=runtime, shared=shared)


def state_dir(given: Path | None) -> Path:
    """Return the state directory: as given, else ABIDE_STATE, else ``$XDG_STATE_HOME/abide``; absolute."""
    if given is not None:
        return given.absolute()
    if env := os.environ.get("ABIDE_STATE"):
        return Path(env).absolute()
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home).absolute() / "abide"
