"""Linux: directories by the browsers' own documentation, systemd user unit or XDG autostart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from abide_agent.platform.base import Browser, Layout, Service

UNIT = """\
[Unit]
Description=Abide agent: enforces the generative-AI usage policy
After=network.target

[Service]
ExecStart={command}
Restart=always
RestartSec=2
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""

DESKTOP_ENTRY = """\
[Desktop Entry]
Type=Application
Name=Abide agent
Comment=Enforces the generative-AI usage policy
Exec={command}
NoDisplay=true
X-GNOME-Autostart-enabled=true
"""

SYSTEMCTL = "/usr/bin/systemctl"
_CHROMIUM = (
    ("chromium", "chromium"),
    ("chrome", "google-chrome"),
    ("edge", "microsoft-edge"),
    ("brave", "BraveSoftware/Brave-Browser"),
)


def linux(home: Path, env: Mapping[str, str], systemd: Path = Path("/run/systemd/system")) -> Layout:
    """Return the tables for one user; ``systemd`` is the directory that is there when systemd runs."""
    configured = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    chromium = tuple(
        Browser(name, "chromium", configured / folder / "NativeMessagingHosts") for name, folder in _CHROMIUM
    )
    firefox = Browser("firefox", "firefox", home / ".mozilla" / "native-messaging-hosts")
    with_systemd = systemd.is_dir() and Path(SYSTEMCTL).exists()
    return Layout((*chromium, firefox), _unit(configured) if with_systemd else _autostart(configured))


def _unit(configured: Path) -> Service:
    return Service(
        "systemd",
        configured / "systemd" / "user" / "abide-agent.service",
        UNIT,
        enable=((SYSTEMCTL, "--user", "daemon-reload"), (SYSTEMCTL, "--user", "enable", "--now", "abide-agent")),
        disable=((SYSTEMCTL, "--user", "disable", "--now", "abide-agent"),),
    )


def _autostart(configured: Path) -> Service:
    return Service("autostart", configured / "autostart" / "abide-agent.desktop", DESKTOP_ENTRY)
