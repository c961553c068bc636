"""Time in the browser is the agent's word: neither the laptop's clock nor its zone moves working time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.demo.browsers import stop_workers
from tests.e2e.desk import BLOCKED, CHAT, Desk, new_desk, start_with
from tests.e2e.plans import morning_plan

OPEN = re.compile(f"^{re.escape(CHAT)}$")
DAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=2)
SET_THE_CLOCK = "hours => { const real = Date.now.bind(Date); Date.now = () => real() + hours * 3_600_000; }"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with new_desk(tmp_path) as desk:
        yield desk


def at(hour: int) -> int:
    return int((DAY + dt.timedelta(hours=hour)).timestamp() * 1000)


def start_at(desk: Desk, hour: int) -> Page:
    desk.agent.say_time(at(hour))
    return start_with(desk, morning_plan(at(hour)))


def test_an_open_tab_follows_the_agent_s_word_forward_and_back(desk: Desk) -> None:
    page = start_at(desk, 10)
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    for hour, address in ((13, OPEN), (9, BLOCKED), (14, OPEN)):
        desk.agent.say_time(at(hour))
        expect(page).to_have_url(address)


@pytest.mark.parametrize(("hour", "address"), [(10, BLOCKED), (13, OPEN)], ids=["working", "free"])
@pytest.mark.parametrize("moved", [-7, 7], ids=["set back", "set forward"])
def test_setting_the_laptop_s_clock_changes_nothing(
    desk: Desk, hour: int, address: re.Pattern[str], moved: int
) -> None:
    page = start_at(desk, hour)
    desk.agent.say_no_time()
    worker = desk.worker()
    worker.evaluate(SET_THE_CLOCK, moved)
    desk.agent.wait_for("ping")  # The jump was noticed, all was judged again, and the agent was asked.
    desk.agent.push(morning_plan(at(hour)))
    desk.agent.wait_for("in_force")
    page.goto(CHAT)
    expect(page).to_have_url(address)


@pytest.mark.parametrize(("hour", "address"), [(10, BLOCKED), (13, OPEN)], ids=["working", "free"])
def test_a_new_worker_without_an_agent_goes_on_from_the_last_word(
    desk: Desk, hour: int, address: re.Pattern[str]
) -> None:
    page = start_at(desk, hour)
    desk.agent.stop()
    stop_workers(desk.context)
    page.goto(CHAT)
    expect(page).to_have_url(address)
    desk.close()
    page = desk.open()
    page.goto(CHAT)
    expect(page).to_have_url(address)


def test_the_laptop_s_zone_changes_only_what_is_displayed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    page = start_at(desk, 10)
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    expect(page.locator("#until")).to_contain_text("20:00")
    desk.agent.say_time(at(13))
    expect(page).to_have_url(OPEN)
