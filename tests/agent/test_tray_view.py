"""What the tray shows, as a table: the daemon's health → the icon and the menu's lines."""

from __future__ import annotations

import msgspec
import pytest

from abide_agent.config import Config
from abide_agent.health import LastVerdict, NoAnswer, Snapshot
from abide_agent.tray_icon import SIZE, draw
from abide_agent.tray_view import STATES, View, view
from abide_rules.problems import Problem
from abide_rules.wire import BrowserCoverage
from tests.agent.extension import enrolled
from tests.agent.standin import StandIn

CASES: dict[str, tuple[dict[str, object], str, str]] = {
    "all is well": ({}, "guarded", "chromium 156 enforces version 1"),
    "a problem of blocking": ({"problems": (Problem("block/manifest"),)}, "unguarded", "→ Run: abide-agent install"),
    "a problem of syncing": ({"problems": (Problem("sync/dns"),)}, "stale", "! The server's name cannot be found."),
    "a problem of recording": ({"problems": (Problem("record/disk-full"),)}, "guarded", "! The disk is full"),
    "events wait": ({"spooled": 7}, "guarded", "7 events wait for the server"),
    "a verdict was given": ({"last": LastVerdict("chatgpt", "block", 5)}, "guarded", "chatgpt: blocked"),
    "working time": ({"period": "working", "period_until_ms": 9}, "guarded", "working time until"),
}


@pytest.fixture
async def well(config: Config, server: StandIn) -> Snapshot:
    async with enrolled(config, server) as agent:
        snapshot = await agent.snapshot()
    browsers = (BrowserCoverage("chromium", "156", "0.1.0", 1),)
    return msgspec.structs.replace(snapshot, browsers=browsers, problems=(), stale="")


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown_when(name: str, well: Snapshot) -> None:
    changes, state, line = CASES[name]
    shown = view(msgspec.structs.replace(well, **changes))
    assert shown.state == state
    assert any(line in text for text in shown.lines)
    assert shown.page == well.server


def test_without_a_daemon_it_says_so_and_offers_no_page() -> None:
    shown = view(NoAnswer("agent/not-running"))
    assert isinstance(shown, View)
    assert (shown.state, shown.page) == ("unguarded", "")
    assert any("abide-agent run" in line for line in shown.lines)


def test_each_state_has_a_picture_that_differs_without_colour() -> None:
    grey = {draw(state).resize((22, 22)).convert("LA").tobytes() for state in STATES}
    assert len(grey) == len(STATES)
    assert draw("guarded").size == (SIZE, SIZE)
