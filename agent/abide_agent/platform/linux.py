"""Linux: directories by the browsers' own documentation, systemd units or XDG autostart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from abide_agent.platform.base import Browser, ChromiumName, Layout, Service

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

SYSTEM_UNIT = """\
[Unit]
Description=Abide agent: enforces the generative-AI usage policy
Wants=network-online.target
After=network-online.target
# Before it is enrolled there is nothing to do; enrolment starts it.
ConditionPathExists=/var/lib/abide-agent/identity.json

[Service]
Type=exec
ExecStart={command}
{environment}Restart=always
RestartSec=2
StateDirectory=abide-agent
StateDirectoryMode=0700
RuntimeDirectory=abide-agent
RuntimeDirectoryMode=0755

# It owns files that root owns, and needs no other right of root's.
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
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
_CHROMIUM: tuple[tuple[ChromiumName, str], ...] = (
    ("chromium", "chromium"),
    ("chrome", "google-chrome"),
    ("edge", "microsoft-edge"),
    ("brave", "BraveSoftware/Brave-Browser"),
)
_SYSTEM: tuple[tuple[ChromiumName, str, str], ...] = (
    ("chromium", "etc/chromium/native-messaging-hosts", "etc/chromium/policies/managed"),
    ("chrome", "etc/opt/chrome/native-messaging-hosts", "etc/opt/chrome/policies/managed"),
    ("edge", "etc/opt/edge/native-messaging-hosts", "etc/opt/edge/policies/managed"),
    ("brave", "etc/chromium/native-messaging-hosts", "etc/brave/policies/managed"),
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


def linux_system(root: Path = Path("/"), systemd: Path = Path("/run/systemd/system")) -> Layout:
    """Return the tables for all accounts; ``root`` is another root folder, for tests."""
    chromium = tuple(
        Browser(name, "chromium", root / manifests, policy=root / policies / "abide.json")
        for name, manifests, policies in _SYSTEM
    )
    firefox = Browser(
        "firefox",
        "firefox",
        root / "usr/lib/mozilla/native-messaging-hosts",
        policy=root / "etc/firefox/policies/policies.json",
    )
    is_running = systemd.is_dir() and Path(SYSTEMCTL).exists()
    return Layout((*chromium, firefox), _system_unit(root, is_running=is_running))


def _system_unit(root: Path, *, is_running: bool) -> Service:
    return Service(
        "systemd",
        root / "etc/systemd/system/abide-agent.service",
        SYSTEM_UNIT,
        enable=((SYSTEMCTL, "daemon-reload"), (SYSTEMCTL, "enable", "--now", "abide-agent")) if is_running else (),
        disable=((SYSTEMCTL, "disable", "--now", "abide-agent"),) if is_running else (),
    )


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
