"""Windows: manifests lie with the agent and the registry names them; the Startup folder, or a task at boot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from abide_agent.platform.base import Browser, ChromiumName, Layout, Service

COMMAND_FILE = '@start "" /b {command}\r\n'
SCHTASKS = r"C:\Windows\System32\schtasks.exe"
TASK = """\
<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
<Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
<Principals><Principal id="system"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
<Settings><ExecutionTimeLimit>PT0S</ExecutionTimeLimit><DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
<RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure></Settings>
<Actions Context="system"><Exec><Command>cmd.exe</Command><Arguments>/c {command}</Arguments></Exec></Actions>
</Task>
"""
_CHROMIUM: tuple[tuple[ChromiumName, str], ...] = (
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


def windows_system(env: Mapping[str, str]) -> Layout:
    """Return the tables for all accounts. Policies of browsers come by group policy or device management."""
    data = Path(env.get("PROGRAMDATA") or r"C:\ProgramData") / "Abide"
    manifests = data / "manifests"
    chromium = tuple(
        Browser(name, "chromium", manifests / name, rf"{key}\NativeMessagingHosts") for name, key in _CHROMIUM
    )
    firefox = Browser("firefox", "firefox", manifests / "firefox", r"Software\Mozilla\NativeMessagingHosts")
    task = data / "abide-agent.xml"
    service = Service(
        "task",
        task,
        TASK,
        enable=(
            (SCHTASKS, "/create", "/f", "/tn", "Abide agent", "/xml", str(task)),
            (SCHTASKS, "/run", "/tn", "Abide agent"),
        ),
        disable=((SCHTASKS, "/end", "/tn", "Abide agent"), (SCHTASKS, "/delete", "/f", "/tn", "Abide agent")),
    )
    return Layout((*chromium, firefox), service)
