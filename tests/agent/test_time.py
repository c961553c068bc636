"""The clock of a laptop is set while the agent runs: nothing moves, and it is on record. Real daemon, real server.

The daemon's wall clock is a fake one (libfaketime) that the test sets; its boot clock is the system's.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from abide_agent.health import Snapshot, ask_daemon
from abide_rules.events import Event, parse_batch
from tests.agent.extension import Extension, observation
from tests.demo.house import House
from tests.demo.programs import tool, tool_json, until

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), Path("/none"))
NEAR_MS = 1_500
MINUTE_MS = 60_000
DAEMON = """
import asyncio, sys
from pathlib import Path
from abide_agent.app import serve
from abide_agent.config import Config
asyncio.run(serve(Config(Path(sys.argv[1]), clock_interval_s=0.1), lambda: None))
"""

pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="faketime is not installed: apt-get install faketime")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house")
    made.start_server()
    yield made
    made.close()


class Fake:
    """A daemon whose wall clock is ``shift`` from the true one."""

    def __init__(self, house: House, state: Path) -> None:
        self.house, self.state = house, state
        self._shift = state.parent / "shift"
        self.process: subprocess.Popen[bytes] | None = None

    def set(self, shift: str) -> None:
        new = self._shift.with_name("new")
        new.write_text(shift)
        new.replace(self._shift)

    def start(self) -> None:
        env = os.environ | {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._shift),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.process = subprocess.Popen([sys.executable, "-c", DAEMON, str(self.state)], env=env)
        until("it is connected", self._is_connected)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(10) == 0
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def socket(self) -> Path:
        return self.state / "agent.sock"

    def _ask(self) -> Snapshot:
        answer = ask_daemon(self.socket)
        assert isinstance(answer, Snapshot)
        return answer

    def _is_connected(self) -> bool:
        answer = ask_daemon(self.socket)
        return isinstance(answer, Snapshot) and answer.connected and answer.plan_version > 0

    def events(self) -> list[Event]:
        """Every event of this device that the server has, when nothing waits here."""
        until("everything is sent", lambda: self._ask().spooled == 0)
        device = self._ask().device
        export = self.state.parent / "export.ndjson"
        tool("abide-server", "export", "-o", export, "--data", self.house.data)
        lines = [json.loads(line) for line in export.read_text("utf-8").splitlines()]
        batches = [parse_batch(line["batch"].encode()) for line in lines if line["type"] == "batch"]
        mine = [batch for batch in batches if batch.header.device == device]
        return [event for batch in mine for event in batch.events]


@contextmanager
def laptop(house: House, state: Path) -> Iterator[Fake]:
    token = tool_json("abide-server", "token", "--data", house.data)["token"]
    tool("abide-agent", "enroll", token, "--state", state)
    fake = Fake(house, state)
    fake.set("+0")
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()


def true_ms() -> int:
    return time.time_ns() // 1_000_000


class Step(NamedTuple):
    """The clock is set to ``shift`` (``minutes`` from the true time); what is recorded, if anything."""

    name: str
    shift: str
    minutes: int
    recorded: tuple[str, int] | None


STEPS = (
    Step("corrected by a second", "+1", 0, None),
    Step("three hours forward", "+3h", 180, ("clock:forward", 180)),
    Step("back to the true time", "+0", 0, ("clock:corrected", 180)),
    Step("a day back", "-1d", -1440, ("clock:back", 1440)),
    Step("two hours ahead of the true time", "+2h", 120, ("clock:forward", 1560)),
    Step("eight hours more", "+10h", 600, ("clock:forward", 480)),
    Step("five hours back, still ahead", "+5h", 300, ("clock:back", 300)),
    Step("back to the true time again", "+0", 0, ("clock:corrected", 300)),
)


async def test_a_clock_that_is_set_moves_nothing_and_is_recorded_once(house: House, state: Path) -> None:
    seen: list[tuple[str, int]] = []
    with laptop(house, state) as fake:
        browser = await Extension.connect(fake.socket)
        await browser.greet()
        assert abs((await browser.receive("time"))["now"] - true_ms()) < NEAR_MS
        plan, wall_minutes = await browser.receive("plan"), 0
        for step in STEPS:
            queued = true_ms() + wall_minutes * MINUTE_MS  # what the browser's clock says of something just now
            seen.append((f"before: {step.name}", true_ms()))
            fake.set(step.shift)
            wall_minutes = step.minutes
            if step.recorded is not None:
                assert abs((await browser.receive("time"))["now"] - true_ms()) < NEAR_MS, step
            seen.append((f"after: {step.name}", true_ms()))
            live = true_ms() + wall_minutes * MINUTE_MS
            await browser.observe(observation(at=queued), observation(at=live))
        before_pause = true_ms()
        fake.signal(signal.SIGSTOP)
        await asyncio.to_thread(until, "some seconds went by", lambda: true_ms() > before_pause + 3_000)
        fake.signal(signal.SIGCONT)
        await browser.send({"type": "ping"})
        assert abs((await browser.receive("pong"))["now"] - true_ms()) < NEAR_MS
        again = await Extension.connect(fake.socket)
        await again.greet()
        assert await again.receive("plan") == plan
        await browser.close()
        await again.close()
        fake.stop()
        fake.set("-4h")
        fake.start()
        events = await asyncio.to_thread(fake.events)
    tampers = [e for e in events if e.kind == "tamper"]
    expected = [step.recorded for step in STEPS if step.recorded is not None] + [("clock:back", 240)]
    assert [(e.evidence[0].detector, e.evidence[0].count) for e in tampers] == expected
    told = [e.at for e in events if e.kind == "visit"]
    wrong = [(name, at - true) for (name, true), at in zip(seen, told, strict=True) if abs(at - true) > NEAR_MS]
    assert wrong == []
    assert all(seen[0][1] - NEAR_MS < e.at <= true_ms() + NEAR_MS for e in tampers)
