"""A browser that was killed, and one that starts where nothing else runs."""

from __future__ import annotations

from pathlib import Path

from tests.demo.driver import driven
from tests.demo.house import House
from tests.demo.programs import until
from tests.demo.stand_in import StandIn
from tests.e2e.laptop import Laptop, in_force


def test_a_browser_that_was_killed_comes_back_enforcing_without_agent_or_server(tmp_path: Path, browser: str) -> None:
    house, stand_in = House(tmp_path / "house"), StandIn(tmp_path)
    try:
        house.open()
        with driven(browser, house.profile, stand_in) as opened:
            laptop = Laptop(house, stand_in, opened)
            in_force(laptop)
            laptop.is_blocked("https://chatgpt.com/")
            recorded = laptop.events()
            house.close()
            opened.kill()
        with driven(browser, house.profile, stand_in) as opened:
            laptop = Laptop(house, stand_in, opened)
            laptop.is_blocked("https://chatgpt.com/again")
            house.start_server()
            house.start_agent()
            until("the visit arrived", lambda: len(laptop.events()) > len(recorded), 90)
            visits = [seq for seq, kind, _service in laptop.events() if kind == "visit"]
            assert len(visits) == 2
    finally:
        house.close()
        stand_in.close()
