"""The whole story, told unattended and seen in a real browser: each step counts only when the browser showed it."""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.demo.driver import driven, expect, visit
from tests.demo.house import House
from tests.demo.page import Browser, Page
from tests.demo.programs import StoryError, until
from tests.demo.stand_in import StandIn

CHATGPT = "https://chatgpt.com/c/demo?model=auto#top"
CLAUDE = "https://claude.ai/new"
BLOCK_PAGE = re.compile(r"^(chrome|moz)-extension://.*/pages/block\.html")
WARN_PAGE = re.compile(r"^(chrome|moz)-extension://.*/pages/warn\.html")


@dataclass
class Step:
    """One step: what was to be seen, whether it was, and how long it took (ms)."""

    name: str
    seen: bool = False
    ms: float = 0.0


@dataclass
class Summary:
    """What is written to summary.json. ``push_to_enforced_ms``: from the signed release lying in the update repository
    until the tab that was open shows the new verdict."""

    ok: bool = False
    steps: list[Step] = field(default_factory=list)
    push_to_enforced_ms: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    error: str = ""


class Story:
    """Tells the story in one house with one browser (``chromium`` or ``firefox``); screenshots go to ``shots``."""

    def __init__(self, folder: Path, shots: Path, say: Callable[[str], None], name: str = "chromium") -> None:
        self.summary = Summary()
        self._name = name
        self._folder, self._shots, self._say = folder, shots, say
        shots.mkdir(parents=True, exist_ok=True)

    def tell(self) -> Summary:
        """Tell it from the beginning to the end, or to the first step that was not seen."""
        house = House(self._folder)
        stand_in = StandIn(self._folder)
        try:
            self._chapters(house, stand_in)
            self.summary.ok = all(step.seen for step in self.summary.steps)
        except (StoryError, AssertionError) as error:
            self.summary.error = str(error)
            self._say(f"  not seen: {error}")
        finally:
            house.close()
            stand_in.close()
            raw = json.dumps(asdict(self.summary), indent=1)
            (self._folder / "summary.json").write_text(raw + "\n", "utf-8")
        return self.summary

    def _chapters(self, house: House, stand_in: StandIn) -> None:
        house.open()
        with driven(self._name, house.profile, stand_in) as browser:
            self.summary.versions = _versions(browser)
            tab = browser.new_page()
            self._enrolled(browser, house)
            self._blocked(tab)
            self._pushed(tab, house)
            self._continued(tab, stand_in)
            self._recorded(browser, house)
            self._offline(browser, house)
            self._back(browser, house)
            self._popup(browser)
        self._in_chinese(house, stand_in)

    def _enrolled(self, browser: Browser, house: House) -> None:
        with self._step("the laptop is enrolled: the server's page lists it, with the policy in force in its browser"):
            page = browser.new_page()
            page.goto(house.url)
            expect(page.get_by_text(house.status()["device"]).first).to_be_visible()
            expect(page.get_by_role("row", name=re.compile(f"{browser.name}.*1 newest"))).to_be_visible()
            self._shot(page, "server")
            page.close()

    def _blocked(self, tab: Page) -> None:
        with self._step("chatgpt.com is blocked, and the page says why, until when and what instead"):
            visit(tab, CHATGPT)
            expect(tab).to_have_url(BLOCK_PAGE)
            for text in ("ChatGPT", "BUS-1", "During working hours", "Use the tools your company provides", CHATGPT):
                expect(tab.get_by_text(text).first).to_be_visible()
            self._shot(tab, "block")

    def _pushed(self, tab: Page, house: House) -> None:
        with self._step("the policy is changed to a warning and published: the open tab obeys"):
            house.change_policy("verdict: block\n    time: working", "verdict: warn\n    time: working")
            house.publish()
            expect(tab).to_have_url(WARN_PAGE)
            expect(tab.locator("#continue")).to_be_visible()
            released = (house.data / "tuf/metadata/timestamp.json").stat().st_mtime * 1000
            tab.wait_for_function("performance.getEntriesByType('paint').length > 0")
            drawn = tab.evaluate("() => performance.timeOrigin + performance.getEntriesByType('paint')[0].startTime")
            self.summary.push_to_enforced_ms = round(drawn - released, 1)
            self._shot(tab, "warn")
        self._say(f"    published → enforced in the open tab: {self.summary.push_to_enforced_ms:.0f} ms")

    def _continued(self, tab: Page, stand_in: StandIn) -> None:
        with self._step("Continue opens the original address in this tab"):
            stand_in.hits.clear()
            tab.locator("#continue").click()
            expect(tab).to_have_url(re.compile(r"^https://chatgpt\.com/"))
            expect(tab.get_by_role("heading", name="chatgpt.com")).to_be_visible()
            if ("chatgpt.com", "/c/demo?model=auto") not in stand_in.hits:
                raise StoryError(f"the original address was not asked for: {stand_in.hits}")
            self._shot(tab, "continued")

    def _recorded(self, browser: Browser, house: House) -> None:
        with self._step("the server's page shows the signed events, and an export of them proves itself offline"):
            until("nothing waits on the laptop", lambda: house.status().get("spooled") == 0)
            page = browser.new_page()
            page.goto(house.url)
            expect(page.get_by_text("chatgpt").first).to_be_visible()
            expect(page.get_by_text("working-time").first).to_be_visible()
            self._shot(page, "events")
            page.close()
            _proven(house)

    def _offline(self, browser: Browser, house: House) -> None:
        with self._step("the server is gone: another service is still stopped"):
            house.server.kill()
            tab = browser.new_page()
            visit(tab, CLAUDE)
            expect(tab).to_have_url(WARN_PAGE)
            expect(tab.get_by_role("heading", name="Claude")).to_be_focused()
            until("the visit waits on the laptop", lambda: house.status().get("spooled", 0) > 0)
            tab.close()

    def _back(self, browser: Browser, house: House) -> None:
        with self._step("the server is back: the visit arrives, and no event is missing or there twice"):
            house.start_server()
            page = browser.new_page()
            page.goto(house.url)
            expect(page.get_by_text("claude").first).to_be_visible(timeout=60_000)
            until("nothing waits on the laptop", lambda: house.status().get("spooled") == 0)
            self._shot(page, "back")
            page.close()
            _proven(house)

    def _popup(self, browser: Browser) -> None:
        with self._step("the popup says what is in force and what was recorded"):
            page = browser.new_page()
            page.set_viewport_size({"width": 400, "height": 780})
            page.goto(f"{browser.extension}/pages/popup.html")
            expect(page.locator("#records li").first).to_be_visible()
            self._shot(page, "popup")
            page.close()

    def _in_chinese(self, house: House, stand_in: StandIn) -> None:
        with (
            self._step("after a restart of the browser, in Chinese, it is still enforced"),
            driven(self._name, house.profile, stand_in, locale="zh-CN", dark=True) as browser,
        ):
            tab = browser.new_page()
            visit(tab, CLAUDE)
            expect(tab).to_have_url(WARN_PAGE)
            expect(tab.get_by_text("工作时间内").first).to_be_visible()
            self._shot(tab, "warn-zh")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        step = Step(name)
        self.summary.steps.append(step)
        begin = time.monotonic()
        try:
            yield
            step.seen = True
        finally:
            step.ms = round((time.monotonic() - begin) * 1000, 1)
            self._say(f"  {'seen' if step.seen else 'NOT SEEN'}  {step.ms:7.0f} ms  {name}")

    def _shot(self, page: Page, name: str) -> None:
        page.screenshot(path=self._shots / f"{name}.png")


def _proven(house: House) -> None:
    arrived, recorded = len(house.proven_events()), house.status()["recorded"]
    if arrived != recorded:
        raise StoryError(f"the laptop recorded {recorded} events, the server has {arrived}")


def _versions(browser: Browser) -> dict[str, Any]:
    return {
        "abide": version("abide-policy"),
        "browser": f"{browser.name.capitalize()} {browser.version}",
        "python": platform.python_version(),
        "system": platform.platform(),
    }
