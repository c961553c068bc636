"""A laptop: a house with an open browser, for the tests that enforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext

from tests.demo.driver import Chromium, driven, expect, visit
from tests.demo.house import House
from tests.demo.page import Browser, Page
from tests.demo.programs import until
from tests.demo.stand_in import StandIn
from tests.demo.story import BLOCK_PAGE


class Laptop:
    """A house with an open browser."""

    def __init__(self, house: House, stand_in: StandIn, browser: Browser) -> None:
        self.house, self.stand_in, self.browser = house, stand_in, browser

    @property
    def context(self) -> BrowserContext:
        """Playwright's own, for what can be looked at in Chromium only."""
        assert isinstance(self.browser, Chromium)
        return self.browser.context

    def visit(self, url: str) -> Page:
        tab = self.browser.new_page()
        visit(tab, url)
        return tab

    def is_blocked(self, url: str) -> None:
        tab = self.visit(url)
        expect(tab).to_have_url(BLOCK_PAGE)
        expect(tab.locator("#heading")).to_be_focused()  # From then on the visit is recorded.
        tab.close()

    def is_open(self, url: str) -> None:
        tab = self.visit(url)
        expect(tab.get_by_text("stands in for the real service")).to_be_visible()
        assert not BLOCK_PAGE.match(tab.url)
        tab.close()

    def events(self) -> list[tuple[int, str, str]]:
        """(seq, kind, service) of everything that the server has, after the laptop has sent all it holds."""
        until("nothing waits on the laptop", lambda: self.house.status().get("spooled") == 0, 60)
        return self.house.proven_events()


def in_force(laptop: Laptop) -> None:
    version = until("a version is held", lambda: laptop.house.status().get("policy_version"))
    until(
        "the browser confirmed it",
        lambda: [b for b in laptop.house.status().get("browsers", []) if b["policy_version"] == version],
    )


@contextmanager
def open_laptop(
    folder: Path,
    prepare: Callable[[House], object] = lambda house: None,
    *,
    browser: str = "chromium",
    locale: str = "en-US",
    dark: bool = False,
) -> Iterator[Laptop]:
    """A server with the strict policy (or what ``prepare`` makes of it), an enrolled agent, a browser that obeys."""
    house, stand_in = House(folder / "house"), StandIn(folder)
    try:
        prepare(house)
        house.open()
        with driven(browser, house.profile, stand_in, locale=locale, dark=dark) as opened:
            laptop = Laptop(house, stand_in, opened)
            in_force(laptop)
            yield laptop
    finally:
        house.close()
        stand_in.close()
