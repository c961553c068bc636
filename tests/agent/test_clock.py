"""Server time: jumps of the laptop's clock buy nothing within a boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from abide_agent.clock import Clock
from abide_agent.tasks import Backoff


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
