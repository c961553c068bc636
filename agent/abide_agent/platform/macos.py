"""macOS: directories by the browsers' own documentation, a launchd agent."""

from __future__ import annotations

from pathlib import Path

from abide_agent.platform.base import Browser, ChromiumName, Layout, Service

PLIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>abide.agent</string>
<key>ProgramArguments</key><array><string>/bin/sh</string><string>-c</string><string>exec {command}</string></array>
<key>RunAtLoad</key><true/><key>KeepAlive</key><true/>
</dict></plist>
"""
LAUNCHCTL = "/bin/launchctl"
_CHROMIUM: tuple[tuple[ChromiumName, str], ...] = (
    ("chromium", "Chromium"),
    ("chrome", "Google/Chrome"),
    ("edge", "Microsoft Edge"),
    ("brave", "BraveSoftware/Brave-Browser"),
)
_SYSTEM: tuple[tuple[ChromiumName, str], ...] = (
    ("chromium", "Application Support/Chromium"),
    ("chrome", "Google/Chrome"),
    ("edge", "Microsoft/Edge"),
    ("brave", "Google/Chrome"),
)


def macos(home: Path) -> Layout:
    """Return the tables for one user."""
    support = home / "Library" / "Application Support"
    chromium = tuple(Browser(name, "chromium", support / folder / "NativeMessagingHosts") for name, folder in _CHROMIUM)
    firefox = Browser("firefox", "firefox", support / "Mozilla" / "NativeMessagingHosts")
    plist = home / "Library" / "LaunchAgents" / "abide.agent.plist"
    service = Service(
        "launchd",
        plist,
        PLIST,
        enable=((LAUNCHCTL, "load", "-w", str(plist)),),
        disable=((LAUNCHCTL, "unload", "-w", str(plist)),),
    )
    return Layout((*chromium, firefox), service)


def macos_system(root: Path = Path("/")) -> Layout:
    """Return the tables for all accounts. Chromium and its relatives take policies from device management only."""
    library = root / "Library"
    chromium = tuple(Browser(name, "chromium", library / folder / "NativeMessagingHosts") for name, folder in _SYSTEM)
    firefox = Browser(
        "firefox",
        "firefox",
        library / "Application Support" / "Mozilla" / "NativeMessagingHosts",
        policy=root / "Applications/Firefox.app/Contents/Resources/distribution/policies.json",
    )
    plist = library / "LaunchDaemons" / "abide.agent.plist"
    service = Service(
        "launchd",
        plist,
        PLIST,
        enable=((LAUNCHCTL, "bootstrap", "system", str(plist)),),
        disable=((LAUNCHCTL, "bootout", "system", str(plist)),),
    )
    return Layout((*chromium, firefox), service)
