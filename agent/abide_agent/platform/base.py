"""The shape of a system's tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Browser:
    """A browser and the per-user directory in which it looks for native-messaging manifests.

    ``registry_key`` is where Windows keeps the manifest's path instead (below HKEY_CURRENT_USER), else empty.
    """

    name: str
    family: Literal["chromium", "firefox"]
    manifests: Path
    registry_key: str = ""


@dataclass(frozen=True)
class Service:
    """How the agent is started at login: one file, and the commands that switch it on and off."""

    kind: Literal["systemd", "autostart", "launchd", "startup"]
    path: Path
    template: str
    enable: tuple[tuple[str, ...], ...] = ()
    disable: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Layout:
    """Everything that ``install`` needs to know about a system."""

    browsers: tuple[Browser, ...]
    service: Service
