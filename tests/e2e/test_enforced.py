"""Enforced whatever happens: real server, agent, native host and Chromium, each killed in its turn."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.demo.browsers import driven_chromium
from tests.demo.house import House
from tests.demo.programs import tool, tool_json, until
from tests.demo.stand_in import StandIn
from tests.demo.story import BLOCK_PAGE, WAIT_MS, WARN_PAGE


class Laptop:
    """A house with an open browser."""

    def __init__(self, house: House, stand_in: StandIn, context: BrowserContext) -> None:
        self.house, self.stand_in, self.context = house, stand_in, context

    def visit(self, url: str) -> Page:
        tab = self.context.new_page()
        tab.goto(url, wait_until="commit")
        return tab

    def is_blocked(self, url: str) -> None:
        tab = self.visit(url)
        tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
        tab.close()

    def is_open(self, url: str) -> None:
        tab = self.visit(url)
        expect(tab.get_by_text("stands in for the real service")).to_be_visible(timeout=WAIT_MS)
        assert not BLOCK_PAGE.match(tab.url)
        tab.close()

    def events(self) -> list[tuple[int, str, str]]:
        """(seq, kind, service) of everything that the server has, after the laptop has sent all it holds."""
        until("nothing waits on the laptop", lambda: self.house.status().get("spooled") == 0, 60)
        export = self.house.folder / "export.ndjson"
        tool("abide-server", "export", "-o", export, "--data", self.house.data)
        assert tool_json("abide-policy", "verify", export)["ok"]
        text = export.read_text("utf-8").replace("\\n", "\n").replace('\\"', '"')
        return [
            (int(seq), kind, service)
            for seq, kind, service in re.findall(r'"seq":(\d+),.*?"kind":"(\w+)".*?(?:"service":"([^"]*)".*)?}', text)
        ]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    folder = tmp_path_factory.mktemp("house")
    house = House(folder / "house")
    stand_in = StandIn(folder)
    try:
        house.open()
        with driven_chromium(house.profile, stand_in.flags) as context:
            laptop = Laptop(house, stand_in, context)
            in_force(laptop)
            yield laptop
    finally:
        house.close()
        stand_in.close()


def in_force(laptop: Laptop) -> None:
    version = until("a version is held", lambda: laptop.house.status().get("policy_version"))
    until(
        "the browser confirmed it",
        lambda: [b for b in laptop.house.status().get("browsers", []) if b["policy_version"] == version],
    )


def children(laptop: Laptop, name: str) -> list[psutil.Process]:
    """The native hosts of this laptop's browser."""
    state = str(laptop.house.state)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if name in (line := " ".join(process.info["cmdline"] or ())) and state in line
    ]


@pytest.mark.parametrize(
    "url",
    ["https://chatgpt.com/", "http://CHATGPT.com:443/x?y#z", "https://a.b.claude.ai/", "https://x.com/i/grok",
     "https://x.com/i/%67rok", "https://www.google.com/search?q=a&udm=50", "https://chatgpt.com./", "https://user@chatgpt.com/",
     "https://us-east1-aiplatform.googleapis.com/"],
)  # fmt: skip
def test_a_service_is_stopped_however_its_address_is_written(laptop: Laptop, url: str) -> None:
    laptop.stand_in.hits.clear()
    laptop.is_blocked(url)
    if "%67" not in url:
        assert laptop.stand_in.hits == []


@pytest.mark.parametrize(
    "url",
    ["https://notchatgpt.com/", "https://chatgpt.com.evil.example/", "https://x.com/home", "https://status.openai.com/",
     "https://www.midjourney.com/pricing", "https://www.google.com/search?q=udm%3D50", "https://news.example/chatgpt.com"],
)  # fmt: skip
def test_what_is_no_use_of_a_service_is_left_alone(laptop: Laptop, url: str) -> None:
    laptop.is_open(url)


def test_a_navigation_within_the_page_is_judged_too(laptop: Laptop) -> None:
    tab = laptop.visit("https://x.com/home")
    tab.evaluate("history.pushState({}, '', '/i/grok')")
    tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    expect(tab.get_by_text("https://x.com/i/grok")).to_be_visible(timeout=WAIT_MS)
    tab.close()


def kill_the_worker(laptop: Laptop) -> None:
    page = laptop.context.new_page()
    session = laptop.context.new_cdp_session(page)
    session.send("ServiceWorker.enable")
    session.send("ServiceWorker.stopAllWorkers")
    page.close()


def kill_the_host(laptop: Laptop) -> None:
    hosts = children(laptop, "native-host")
    assert hosts
    for host in hosts:
        host.send_signal(signal.SIGKILL)


def kill_the_agent(laptop: Laptop) -> None:
    laptop.house.agent.kill()


def kill_the_server(laptop: Laptop) -> None:
    laptop.house.server.kill()


def kill_everything(laptop: Laptop) -> None:
    kill_the_server(laptop)
    kill_the_agent(laptop)
    kill_the_worker(laptop)


@pytest.mark.parametrize(
    "kill",
    [kill_the_worker, kill_the_host, kill_the_agent, kill_the_server, kill_everything],
    ids=lambda kill: kill.__name__.replace("_", " "),
)
def test_killed_at_once_it_is_still_enforced_and_the_visit_is_recorded_exactly_once(
    laptop: Laptop, kill: Callable[[Laptop], None]
) -> None:
    before = laptop.events()
    kill(laptop)
    laptop.is_blocked("https://gemini.google.com/app")
    if not laptop.house.agent.runs:
        laptop.house.agent.start()
    if not laptop.house.server.runs:
        laptop.house.start_server()
    until("the visit arrived", lambda: len(laptop.events()) > len(before), 90)
    in_force(laptop)
    after = laptop.events()
    assert after[: len(before)] == before
    assert [kind_service for _seq, *kind_service in after[len(before) :] if kind_service[0] == "visit"] == [
        ["visit", "gemini"]
    ]
    assert [seq for seq, _kind, _service in after] == list(range(1, len(after) + 1))


def test_a_stricter_policy_ends_what_continue_had_opened(laptop: Laptop) -> None:
    house = laptop.house
    house.change_policy("verdict: block\n    time: working", "verdict: warn\n    class: prohibited\n    time: working")
    tab = laptop.visit("https://claude.ai/new")
    tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    house.publish()
    tab.wait_for_url(WARN_PAGE, timeout=WAIT_MS)
    tab.locator("#continue").click()
    tab.wait_for_url("https://claude.ai/new", timeout=WAIT_MS)
    other = laptop.visit("https://claude.ai/new")
    other.wait_for_url(WARN_PAGE, timeout=WAIT_MS)
    house.change_policy("verdict: warn\n    class: prohibited\n    time: working", "verdict: block\n    time: working")
    house.publish()
    tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    other.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    tab.close()
    other.close()


def test_a_rolled_back_policy_is_in_force_again(laptop: Laptop) -> None:
    house = laptop.house
    tab = laptop.visit("https://poe.com/")
    tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    house.change_policy("    time: working\n", "    time: working\n    except: {services: [poe]}\n")
    allowed = house.publish()
    expect(tab.get_by_text("stands in for the real service")).to_be_visible(timeout=WAIT_MS)
    rolled = tool_json("abide-server", "rollback", str(allowed - 1), "--data", house.data)["version"]
    assert rolled == allowed + 1
    tab.wait_for_url(BLOCK_PAGE, timeout=WAIT_MS)
    tab.close()


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
                p for p in psutil.process_iter(["cmdline", "ppid"])
                if f"--user-data-dir={house.profile}" in (p.info["cmdline"] or ()) and "--type=" not in " ".join(p.info["cmdline"])
            )  # fmt: skip
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
