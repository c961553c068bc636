"""What the page shows, worked out from rows. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from abide_rules.problems import kind_of
from abide_server.clock import as_text
from abide_server.store.base import Device, EventRow, InForceRow, Release

MAX_DEVICES_SHOWN = 500
MAX_RELEASES_SHOWN = 20
MAX_EVENTS_SHOWN = 50


class BrowserLine(msgspec.Struct, frozen=True):
    """One browser of a device (empty name: the agent itself) and what it enforces."""

    name: str
    version: int
    since: str
    is_behind: bool
    guarded: bool
    forced: bool


class DeviceLine(msgspec.Struct, frozen=True):
    """One device; ``problems`` are codes, of a device that is connected and so can know."""

    device: str
    name: str
    group: str
    platform: str
    connected: bool
    revoked: bool
    seen: str
    stale: bool
    spooled: int
    browsers: tuple[BrowserLine, ...]
    problems: tuple[str, ...]

    @property
    def is_troubled(self) -> bool:
        """Whether there is a problem that is not simply a browser that nobody has opened."""
        return any(not kind_of(code).normal for code in self.problems)


class ReleaseLine(msgspec.Struct, frozen=True):
    """One release, and on how many browsers it is in force."""

    version: int
    published: str
    actor: str
    note: str
    name: str
    browsers: int


class EventLine(msgspec.Struct, frozen=True):
    """One event, with its time as text."""

    at: str
    event: EventRow
    device: str


class View(msgspec.Struct, frozen=True):
    """Everything on the page."""

    newest: int
    devices: tuple[DeviceLine, ...]
    device_count: int
    connected_count: int
    behind_count: int
    troubled_count: int
    releases: tuple[ReleaseLine, ...]
    events: tuple[EventLine, ...]


def make_view(
    devices: Iterable[Device],
    rows: Iterable[InForceRow],
    releases: tuple[Release, ...],
    events: Iterable[EventRow],
    connected: frozenset[str],
) -> View:
    """Put the rows together."""
    newest = releases[0].version if releases else 0
    by_device: defaultdict[str, list[InForceRow]] = defaultdict(list)
    for row in rows:
        by_device[row.device].append(row)
    devices = tuple(devices)
    lines = tuple(_device(d, by_device[d.device], newest, connected) for d in devices)
    names = {d.device: d.name for d in devices}
    spread = Counter(row.version for rows_ in by_device.values() for row in rows_ if row.browser)
    return View(
        newest,
        lines[:MAX_DEVICES_SHOWN],
        len(lines),
        sum(line.connected for line in lines),
        sum(any(b.is_behind for b in line.browsers) for line in lines if not line.revoked),
        sum(line.is_troubled for line in lines),
        tuple(_release(release, spread) for release in releases[:MAX_RELEASES_SHOWN]),
        tuple(EventLine(as_text(e.at), e, names.get(e.device, "")) for e in events),
    )


def _device(device: Device, rows: list[InForceRow], newest: int, connected: frozenset[str]) -> DeviceLine:
    online = device.device in connected
    browsers = tuple(
        BrowserLine(
            row.browser, row.version, as_text(row.since), row.version < newest, row.guarded and online, row.forced
        )
        for row in rows
    )
    return DeviceLine(
        device.device, device.name, device.group, device.platform, online, device.revoked is not None,
        as_text(device.seen), device.stale, device.spooled, browsers,
        tuple(device.problems.split()) if online and device.revoked is None else (),
    )  # fmt: skip


def _release(release: Release, spread: Counter[int]) -> ReleaseLine:
    return ReleaseLine(
        release.version, as_text(release.published or release.made), release.actor, release.note, release.name,
        spread[release.version],
    )  # fmt: skip
