"""Whether what ``install`` wrote is still there as it was, so that browsers can start the agent's native host."""

from __future__ import annotations

import hashlib
from pathlib import Path

from abide_agent.config import Config
from abide_agent.install import Installed, installed
from abide_rules.errors import ConfigurationError

NOT_FOR_BROWSERS = frozenset({"directory", "systemd", "autostart", "launchd", "startup", "tray"})


def broken(config: Config) -> str:
    """Return what is wrong with manifests and wrapper, or empty; nothing is wrong where nothing was installed."""
    try:
        items = [item for item in installed(config) if item.kind not in NOT_FOR_BROWSERS]
    except ConfigurationError as error:
        return str(error)
    return ", ".join(f"{item.path}: {state}" for item in items if (state := _state(item)))


def _state(item: Installed) -> str:
    try:
        content = Path(item.path).read_bytes()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return str(error.strerror)
    return "" if hashlib.sha256(content).hexdigest() == item.sha256 else "changed"
