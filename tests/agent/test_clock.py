"""Server time: jumps of the laptop's clock buy nothing within a boot."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from abide_agent import platform
from abide_agent.clock import Clock
from abide_agent.tasks import Backoff
from abide_agent.timekeeper import Timekeeper, minutes


class Laptop:
    """The system's clocks, set by hand (ms)."""

    wall = 1_000_000
    boot = 5_000
    boot_name = "first"

    def clock(self, path: Path) -> Clock:
        return Clock(path, lambda: self.wall, lambda: self.boot, lambda: self.boot_name)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 2_000_000),
        ({"boot": 8_000}, 2_003_000),
        ({"wall": 0}, 2_000_000),
        ({"wall": 9_000_000}, 2_000_000),
        ({"boot_name": "second", "boot": 10, "wall": 2_500_000}, 2_500_000),
        ({"boot_name": "second", "boot": 10, "wall": 7}, 2_000_000),
    ],
    ids=[
        "at once",
        "three seconds later",
        "the clock is set back",
        "the clock is set ahead",
        "after a reboot the laptop's clock counts",
        "but never less than the server's last word",
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["the same run", "after a restart of the agent"])
def test_server_time(change: dict[str, object], expected: int, restarted: bool, tmp_path: Path) -> None:
    laptop = Laptop()
    clock = laptop.clock(tmp_path / "clock.json")
    assert clock.now_ms() == 1_000_000
    clock.learn(2_000_000)
    for name, value in change.items():
        setattr(laptop, name, value)
    if restarted or "boot_name" in change:
        clock = laptop.clock(tmp_path / "clock.json")
    assert clock.now_ms() == expected
    assert clock.from_server is ("boot_name" not in change)


@pytest.mark.parametrize(
    ("seen", "expected"), [(1_000_000, 2_000_000), (999_000, 1_999_000), (5_000_000, 2_000_000), (0, 1_000_000)]
)
def test_a_browser_s_time_becomes_server_time_and_is_never_in_the_future(
    seen: int, expected: int, tmp_path: Path
) -> None:
    clock = Laptop().clock(tmp_path / "clock.json")
    clock.learn(2_000_000)
    assert clock.from_wall(seen) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_a_spoiled_file_falls_back_to_the_laptop_s_clock(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_bytes(content)
    assert Laptop().clock(tmp_path / "clock.json").now_ms() == 1_000_000


def test_waiting_doubles_with_jitter_up_to_its_bound_and_starts_over() -> None:
    backoff = Backoff(1, 300)
    waits = [backoff.next_s() for _ in range(40)]
    for n, wait in enumerate(waits):
        whole = min(300, 2**n)
        assert whole / 2 <= wait <= whole
    backoff.reset()
    assert backoff.next_s() <= 1


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ([1_500], []),
        ([2_500], ["forward"]),
        ([HOUR], ["forward"]),
        ([-HOUR], ["back"]),
        ([HOUR, -HOUR], ["forward", "corrected"]),
        ([HOUR, HOUR, -HOUR], ["forward", "forward", "back"]),
        ([400] * 20, []),
    ],
    ids=[
        "less than two seconds",
        "more than two seconds",
        "an hour ahead",
        "an hour back",
        "and to the server's time again",
        "back, but still ahead of it",
        "a slow correction",
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["the same run", "after a restart of the agent"])
def test_each_setting_of_the_laptop_s_clock_is_told_once(
    sets: list[int], expected: list[str], restarted: bool, tmp_path: Path
) -> None:
    laptop = Laptop()
    clock = laptop.clock(tmp_path / "clock.json")
    clock.learn(1_000_000)
    told = []
    for by in sets:
        laptop.wall += by + 60_000
        laptop.boot += 60_000
        clock.look()
        assert clock.now_ms() == 1_000_000 + laptop.boot - 5_000
        told += [jump.way for jump in clock.take()[0]]
        clock.look()
        assert clock.take() == ([], False)
    if restarted:
        assert laptop.clock(tmp_path / "clock.json").take() == ([], False)
    assert told == expected


@pytest.mark.parametrize(
    ("by", "reboot", "expected"),
    [
        (HOUR, False, ["forward"]),
        (-HOUR, False, ["back"]),
        (HOUR, True, ["forward"]),
        (-HOUR, True, ["back"]),
        (30_000, True, []),
        (30_000, False, []),
    ],
)
def test_a_clock_that_was_set_while_nobody_looked_is_told_at_the_start_or_the_next_contact(
    by: int, reboot: bool, expected: list[str], tmp_path: Path
) -> None:
    laptop = Laptop()
    laptop.clock(tmp_path / "clock.json").learn(1_000_000)
    laptop.wall += by + 10 * HOUR
    laptop.boot, laptop.boot_name = (50, "second") if reboot else (laptop.boot + 10 * HOUR, "first")
    clock = laptop.clock(tmp_path / "clock.json")
    at_start = [jump.way for jump in clock.take()[0]]
    clock.learn(1_000_000 + 10 * HOUR)
    at_contact = [jump.way for jump in clock.take()[0]]
    assert (at_contact if reboot else at_start) == expected
    assert (at_start if reboot else at_contact) == []
    assert laptop.clock(tmp_path / "clock.json").take()[0] == []
    clock.learn(1_000_000 + 10 * HOUR)
    assert clock.take() == ([], False)


def test_before_the_first_contact_of_a_boot_setting_the_clock_buys_nothing_either(tmp_path: Path) -> None:
    laptop = Laptop()
    clock = laptop.clock(tmp_path / "clock.json")
    laptop.wall += 5 * HOUR
    assert clock.now_ms() == 1_000_000
    assert laptop.clock(tmp_path / "clock.json").now_ms() == 1_000_000
    clock.look()
    assert [jump.way for jump in clock.take()[0]] == ["forward"]
    clock.learn(1_000_100)
    assert clock.take() == ([], False)


def test_who_keeps_time_is_told_when_the_server_s_word_moves_it(tmp_path: Path) -> None:
    clock = Laptop().clock(tmp_path / "clock.json")
    told = []
    clock.changed = lambda: told.append(clock.now_ms())
    clock.learn(1_000_900)
    clock.learn(1_002_500)
    assert told == [1_002_500]
    assert clock.take() == ([], True)


@pytest.mark.parametrize(
    ("by", "seen_at", "told_at"),
    [
        (HOUR, 50_000, 250_000),
        (HOUR, 190_000, 250_000),
        (-HOUR, 50_000, 250_000),
        (-HOUR, 190_000, 250_000),
        (HOUR, 230_000, 250_000),
        (-HOUR, 230_000, 250_000),
        (HOUR, 201_000, 201_000),
        (-HOUR, 201_000, 201_000),
    ],
)
def test_what_was_seen_before_the_clock_was_set_keeps_its_time(
    by: int, seen_at: int, told_at: int, tmp_path: Path
) -> None:
    """Times in ms since the start; the clock is set at 200,000."""
    laptop = Laptop()
    clock = laptop.clock(tmp_path / "clock.json")
    clock.learn(1_000_000)
    wall_seen = 1_000_000 + seen_at + (by if seen_at > 200_000 else 0)
    if told_at >= 250_000:
        laptop.boot, laptop.wall = 5_000 + 201_000, 1_000_000 + 201_000 + by
        clock.look()
    laptop.boot, laptop.wall = 5_000 + told_at, 1_000_000 + told_at + by
    assert clock.from_wall(wall_seen) == 1_000_000 + seen_at


async def test_a_new_time_zone_is_told_once_and_summer_time_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int]] = []

    async def jumped(detector: str, count: int) -> None:
        told.append((detector, count))

    async def moved() -> None:
        raise AssertionError("no clock was set")

    monkeypatch.setenv("TZ", "Europe/Berlin")
    keeper = Timekeeper(Laptop().clock(tmp_path / "clock.json"), jumped, moved)
    for zone in ("Europe/Berlin", "Europe/Paris", "Asia/Shanghai", "Asia/Shanghai", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        await keeper.look()
    monkeypatch.undo()
    time.tzset()
    assert told == [("clock:zone", 7 * 60), ("clock:zone", 13 * 60)]


@pytest.mark.parametrize(("by_ms", "expected"), [(2_500, 1), (90_000, 2), (HOUR, 60), (10**14, 525_600)])
def test_a_jump_is_counted_in_minutes(by_ms: int, expected: int) -> None:
    assert minutes(by_ms) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells when its clock is set")
def test_the_system_s_notice_is_there_and_silent_while_nobody_sets_the_clock() -> None:
    handle = platform.clock_set_handle()
    assert handle is not None
    assert not platform.was_clock_set(handle)
    platform.close_handle(handle)
