"""Devices as data for ``--json`` and as text for people."""

from __future__ import annotations

from typing import Any

from abide_rules.i18n import _
from abide_rules.problems import advise
from abide_server.clock import as_text
from abide_server.store.base import Store


async def list_devices(store: Store) -> list[dict[str, Any]]:
    """Return every device with what is in force on it."""
    rows = await store.in_force()
    return [
        {
            "device": device.device,
            "name": device.name,
            "group": device.group,
            "platform": device.platform,
            "agent_version": device.agent_version,
            "enrolled": device.enrolled,
            "revoked": device.revoked,
            "seen": device.seen,
            "stale": device.stale,
            "spooled": device.spooled,
            "problems": device.problems.split(),
            "last_seq": device.next_seq - 1,
            "in_force": [
                {
                    "browser": row.browser,
                    "version": row.version,
                    "since": row.since,
                    "guarded": row.guarded,
                    "forced": row.forced,
                }
                for row in rows
                if row.device == device.device
            ],
        }
        for device in await store.devices()
    ]


def describe_devices(devices: list[dict[str, Any]]) -> str:
    """Return the devices as lines of text."""
    if not devices:
        return _("No device is enrolled yet.")
    return "\n".join(line for device in devices for line in _lines(device))


def _lines(device: dict[str, Any]) -> list[str]:
    revoked = _(" (revoked)") if device["revoked"] is not None else ""
    head = f"{device['device']}  {device['name']}  {device['group']}{revoked}"
    seen = _("last seen {time}, {count} events", time=as_text(device["seen"]), count=device["last_seq"])
    browsers = [
        "    "
        + _(
            "{browser}: release {version} since {time}",
            browser=row["browser"] or _("(agent)"),
            version=row["version"],
            time=as_text(row["since"]),
        )
        for row in device["in_force"]
    ]
    advice = [advise(code, admin=True) for code in device["problems"]]
    problems = [line for item in advice for line in (f"    ! {item.what}", f"      → {item.step}")]
    return [head, f"    {seen}", *browsers, *problems]
