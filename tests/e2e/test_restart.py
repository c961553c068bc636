"""A browser that was killed, and one that starts where nothing else runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

from tests.demo.browsers import driven_chromium
from tests.demo.house import House
from tests.demo.programs import until
from tests.demo.stand_in import StandIn
from tests.e2e.laptop import Laptop, in_force


def is_browser(command: list[str], house: House) -> bool:
    return f"--user-data-dir={house.profile}" in command and not any(part.startswith("--type=") for part in command)


def test_a_browser_that_was_killed_comes_back_enforcing_without_agent_or_server(tmp_path: Path) -> None:
    house, stand_in = House(tmp_path / "house"), StandIn(tmp_path)
    try:
        house.open()
        with driven_chromium(house.profile, stand_in.flags) as context:
            laptop = Laptop(house, stand_in, context)
            in_force(laptop)
            laptop.is_blocked("https://chatgpt.com/")
            recorded = laptop.events()
            browser = next(
                p for p in psutil.process_iter(["cmdline", "ppid"]) if is_browser(p.info["cmdline"] or [], house)
            )
            house.close()
            os.kill(browser.pid, signal.SIGKILL)
        (house.profile / "SingletonLock").unlink(missing_ok=True)
        with driven_chromium(house.profile, stand_in.flags) as context:
            laptop = Laptop(house, stand_in, context)
            laptop.is_blocked("https://chatgpt.com/again")
            house.start_server()
            house.start_agent()
            until("the visit arrived", lambda: len(laptop.events()) > len(recorded), 90)
            visits = [seq for seq, kind, _service in laptop.events() if kind == "visit"]
            assert len(visits) == 2
    finally:
        house.close()
        stand_in.close()
