"""The shape of a system's tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ChromiumName = Literal["chromium", "chrome", "edge", "brave"]


@dataclass(frozen=True)
class Browser:
    """A browser and the directory in which it looks for native-messaging manifests.

    ``registry_key`` is where Windows keeps the manifest's path instead (below HKEY_CURRENT_USER, in a system layout below
    HKEY_LOCAL_MACHINE), else empty. ``policy`` is the file of its administrator's policy, where a file can say it;
    Firefox has one such file for everybody, so that it may be somebody else's.
    """

    name: Literal["chromium", "chrome", "edge", "brave", "firefox", "browser"]
    family: Literal["chromium", "firefox"]
    manifests: Path
    registry_key: str = ""
    policy: Path | None = None


@dataclass(frozen=True)
class Service:
    """How the agent is started, at login or at boot: one file, and the commands that switch it on and off.

    ``template`` is filled with ``{command}``, and in a system layout with ``{writable}`` (folders, separated by spaces) and
    ``{environment}`` (lines).
    """

    kind: Literal["systemd", "autostart", "launchd", "startup", "task"]
    path: Path
    template: str
    enable: tuple[tuple[str, ...], ...] = ()
    disable: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Layout:
    """Everything that ``install`` needs to know about a system."""

    browsers: tuple[Browser, ...]
    service: Service
