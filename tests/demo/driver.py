"""Chromium or Firefox, driven unattended with the extension in it, behind one interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import overload

import psutil
from playwright.sync_api import BrowserContext
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect as playwright_expect

from tests.demo.browsers import driven_chromium, extension_url, stop_workers
from tests.demo.firefox import Firefox
from tests.demo.firefox_page import FirefoxExpectation, FirefoxLocator, FirefoxPage
from tests.demo.page import Browser, Locator, LocatorExpectation, Page, PageExpectation
from tests.demo.stand_in import StandIn

BROWSERS = ("chromium", "firefox")


class Chromium:
    """An open Chromium; ``context`` is Playwright's, for what only Chromium can do."""

    name = "chromium"

    def __init__(self, context: BrowserContext, profile: Path) -> None:
        self.context, self._profile = context, profile

    @property
    def version(self) -> str:
        """Chromium's own version."""
        return self.context.browser.version if self.context.browser else ""

    @property
    def extension(self) -> str:
        """The origin of the extension's own pages."""
        return extension_url(self.context)

    @property
    def pages(self) -> list[Page]:
        """The open tabs."""
        return list(self.context.pages)

    def new_page(self) -> Page:
        """Open a tab."""
        return self.context.new_page()

    def stop_background(self) -> None:
        """End the extension's worker, as the browser does when it has been idle."""
        stop_workers(self.context)

    def kill(self) -> None:
        """End the whole browser as a power cut would."""
        data = f"--user-data-dir={self._profile}"
        main = next(p for p in psutil.process_iter(["cmdline"]) if _is_main(p.info["cmdline"] or [], data))
        main.kill()


@contextmanager
def driven(name: str, profile: Path, web: StandIn, *, locale: str = "en-US", dark: bool = False) -> Iterator[Browser]:
    """Open a browser on ``profile``: Chromium's user-data directory, Firefox's home. Raises StoryError without it."""
    if name == "firefox":
        firefox = Firefox(profile, web, locale=locale, dark=dark)
        try:
            yield firefox
        finally:
            firefox.close()
    else:
        (profile / "SingletonLock").unlink(missing_ok=True)  # Left by one that was killed.
        with driven_chromium(profile, web.flags, locale=locale, dark=dark) as context:
            yield Chromium(context, profile)


def visit(tab: Page, url: str) -> None:
    """Go to a URL as a person does: where it leads, even before its host has answered, is what a story looks at."""
    try:
        tab.goto(url, wait_until="commit")
    except PlaywrightError as error:
        if "ERR_ABORTED" not in error.message:
            raise


@overload
def expect(actual: Page) -> PageExpectation: ...
@overload
def expect(actual: Locator) -> LocatorExpectation: ...
def expect(actual: object) -> object:
    """Playwright's ``expect``, for the tabs and elements of either browser."""
    if isinstance(actual, FirefoxPage):
        return FirefoxExpectation(page=actual)
    if isinstance(actual, FirefoxLocator):
        return FirefoxExpectation(locator=actual)
    return playwright_expect(actual)  # type: ignore[call-overload]


def _is_main(command: list[str], data: str) -> bool:
    return data in command and not any(part.startswith("--type=") for part in command)
