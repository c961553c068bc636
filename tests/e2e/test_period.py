"""Time: a pass ends, a working period ends, with no agent and no server there to say so."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path

from tests.demo.driver import driven, expect
from tests.demo.house import House
from tests.demo.page import WAIT_MS
from tests.demo.stand_in import StandIn
from tests.demo.story import WARN_PAGE
from tests.e2e.laptop import Laptop, in_force

PASS_MS = 60_000
OPEN = re.compile(r"^https://")


def next_full_minute(at_least_s: int) -> dt.datetime:
    """A full minute, at least so many seconds from now."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=at_least_s + 60)
    return now.replace(second=0, microsecond=0)


def test_a_pass_and_a_period_end_by_themselves_in_open_tabs(tmp_path: Path, browser: str) -> None:
    house, stand_in = House(tmp_path / "house", "balanced"), StandIn(tmp_path)
    try:
        end = next_full_minute(PASS_MS // 1000 + 45)
        text = house.policy.read_text("utf-8").replace("continue_minutes: 15", "continue_minutes: 1")
        house.policy.write_text(re.sub(r'-\d\d:\d\d"\]', f'-{end:%H:%M}"]', text), "utf-8")
        house.publish()
        house.open()
        with driven(browser, house.profile, stand_in) as opened:
            laptop = Laptop(house, stand_in, opened)
            in_force(laptop)
            passed, stopped = laptop.visit("https://claude.ai/new"), laptop.visit("https://poe.com/")
            for tab in (passed, stopped):
                expect(tab).to_have_url(WARN_PAGE)
            passed.locator("#continue").click()
            expect(passed).to_have_url(OPEN)
            begin = time.monotonic()
            house.close()
            expect(passed).to_have_url(WARN_PAGE, timeout=PASS_MS + WAIT_MS)
            assert (time.monotonic() - begin) * 1000 > PASS_MS - 5_000
            assert dt.datetime.now(dt.UTC) < end, "the pass ended only with the period"
            left_ms = (end - dt.datetime.now(dt.UTC)).total_seconds() * 1000
            for tab in (passed, stopped):
                expect(tab).to_have_url(OPEN, timeout=left_ms + WAIT_MS)
                expect(tab.get_by_text("stands in for the real service")).to_be_visible()
            assert dt.datetime.now(dt.UTC) >= end
    finally:
        house.close()
        stand_in.close()
