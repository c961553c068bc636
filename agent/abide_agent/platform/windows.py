"""Windows: manifests lie with the agent and the registry names them; a command file in the Startup folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from abide_agent.platform.base import Browser, Layout, Service

COMMAND_FILE = '@start "" /b {command}\r\n'
_CHROMIUM = (
    ("chromium", r"Software\Chromium"),
    ("chrome", r"Software\Google\Chrome"),
    ("edge", r"Software\Microsoft\Edge"),
    ("brave", r"Software\BraveSoftware\Brave-Browser"),
)


def windows(home: Path, env: Mapping[str, str]) -> Layout:
    """Return the tables for one user."""
    local = Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Abide" / "manifests"
    roaming = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    chromium = tuple(Browser(name, "chromium", local / name, rf"{key}\NativeMessagingHosts") for name, key in _CHROMIUM)
    firefox = Browser("firefox", "firefox", local / "firefox", r"Software\Mozilla\NativeMessagingHosts")
    startup = roaming / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "Startup" / "abide-agent.cmd"
    return Layout((*chromium, firefox), Service("startup", startup, COMMAND_FILE))
