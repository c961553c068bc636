"""Browsers side by side, each with its own profile and with whatever extension is to be measured, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

from tests.demo.browsers import CHROMIUMS, QUIET, find, sandbox_flags
from tests.demo.programs import StoryError

Opener = Callable[[Path, Path | None], BrowserContext]


@contextmanager
def browsers(flags: list[str]) -> Iterator[Opener]:
    """Yield what opens a Chromium (profile, folder of an extension or None); all are closed at the end.

    Raises StoryError without Chromium.
    """
    chromium = find(CHROMIUMS)
    if not chromium:
        raise StoryError("Chromium is not installed. Run: sudo apt-get install chromium")
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())

        def open_one(profile: Path, extension: Path | None) -> BrowserContext:
            load = [f"--load-extension={extension}", f"--disable-extensions-except={extension}"] if extension else []
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium,
                headless=False,
                ignore_default_args=["--disable-extensions", "--disable-component-extensions-with-background-pages"],
                args=["--headless=new", *sandbox_flags(), *QUIET, *load, *flags],
            )
            stack.callback(context.close)
            return context

        yield open_one
