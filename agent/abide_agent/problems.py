"""From the snapshot to what is wrong: pure, the same for ``status``, ``doctor``, popup, tray and the server's page."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from abide_agent.health import Snapshot
from abide_rules.problems import Problem, in_order

MIN_DISK_FREE_BYTES = 1024 * 1024
MAX_CLOCK_ERROR_MS = 120_000


def problems(now: Snapshot) -> tuple[Problem, ...]:
    """Return everything that is wrong, the most urgent first, each code once."""
    return in_order([*_syncing(now), *_blocking(now), *_recording(now)])


def remembered(found: tuple[Problem, ...], before: tuple[Problem, ...], now_ms: int) -> tuple[Problem, ...]:
    """Return ``found`` with, where nothing better is known, since when each was found."""
    since = {problem.code: problem.since_ms for problem in before}
    return tuple(
        problem if problem.since_ms else msgspec.structs.replace(problem, since_ms=since.get(problem.code) or now_ms)
        for problem in found
    )


def _syncing(now: Snapshot) -> Iterator[Problem]:
    for trouble in (now.stream_trouble, now.updates_trouble, now.uplink_trouble):
        if trouble is not None:
            yield trouble
    if now.people_problem:
        yield Problem("sync/people", detail=now.people_problem)
    if now.policy_version and now.stale:
        yield Problem("sync/stale", since_ms=now.refreshed_ms, detail=now.stale)


def _blocking(now: Snapshot) -> Iterator[Problem]:
    if now.policy_damaged:
        yield Problem("block/policy-damaged", detail=now.policy_damaged)
    if now.policy_version == 0:
        yield Problem("block/no-policy")
    if now.plan_problem:
        yield Problem("block/not-compiled", detail=now.plan_problem)
    if now.refused:
        yield Problem("block/plan-refused", detail=", ".join(now.refused))
    behind = [b for b in now.browsers if b.policy_version != now.plan_version and b.browser not in now.refused]
    if behind and now.plan_version and now.settled:
        names = ", ".join(f"{b.browser} {b.browser_version}: {b.policy_version}" for b in behind)
        yield Problem("block/older-version", detail=names)
    if now.manifest_problem:
        yield Problem("block/manifest", detail=now.manifest_problem)
    if now.guard_problem and now.settled:
        yield Problem("block/unguarded", detail=now.guard_problem)
    if abs(now.clock_ahead_ms) > MAX_CLOCK_ERROR_MS:
        yield Problem("block/clock", detail=f"{now.clock_ahead_ms / 60_000:+.0f} min")
    if not now.browsers:
        yield Problem("block/no-browser")


def _recording(now: Snapshot) -> Iterator[Problem]:
    is_disk_full = 0 <= now.disk_free_bytes < MIN_DISK_FREE_BYTES
    trouble = now.record_trouble
    if is_disk_full:
        yield Problem("record/disk-full", detail=f"{now.disk_free_bytes} bytes free")
    elif now.dropped:
        yield Problem("record/spool-full", detail=f"{now.dropped} counted")
    if trouble is not None and not is_disk_full:
        code = trouble.code if trouble.code.startswith("record/") else "record/broken"
        yield msgspec.structs.replace(trouble, code=code)
