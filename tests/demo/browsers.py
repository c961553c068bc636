"""Browsers: the one a person has, and the one that is driven unattended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Error, Worker, expect, sync_playwright

from tests.demo.page import WAIT_MS
from tests.demo.programs import ROOT, StoryError, until

EXTENSION = ROOT / "extension"
CHROMIUMS = ("chromium", "chromium-browser")
BRANDED = ("google-chrome", "google-chrome-stable", "microsoft-edge", "brave-browser")
QUIET = [
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--password-store=basic",
]

expect.set_options(timeout=WAIT_MS)


def find(names: tuple[str, ...]) -> str:
    """Return the path of the first of these programs that is installed; empty when none is."""
    return next((path for name in names if (path := shutil.which(name))), "")


def sandbox_flags() -> list[str]:
    """Chromium refuses its sandbox to root."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


@contextmanager
def driven_chromium(
    profile: Path, flags: list[str], *, locale: str = "en-US", dark: bool = False
) -> Iterator[BrowserContext]:
    """Open Chromium unattended with the extension; closes it at the end. Raises StoryError without Chromium."""
    chromium = find(CHROMIUMS)
    if not chromium:
        raise StoryError("Chromium is not installed. Run: sudo apt-get install chromium")
    language = locale.replace("-", "_") + ".UTF-8"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=False,
            ignore_default_args=["--disable-extensions", "--disable-component-extensions-with-background-pages"],
            args=[
                "--headless=new",
                f"--lang={locale}",
                *sandbox_flags(),
                *QUIET,
                f"--load-extension={EXTENSION}",
                f"--disable-extensions-except={EXTENSION}",
                *flags,
            ],
            env={**os.environ, "LANGUAGE": language, "LANG": language},
            color_scheme="dark" if dark else "light",
            viewport={"width": 1000, "height": 860},
        )
        try:
            yield context
        finally:
            try:
                context.close()
            except Error as error:
                if "has been closed" not in error.message:  # A story may have killed it.
                    raise


def worker_of(context: BrowserContext) -> Worker:
    """The worker of the extension in Chromium. Raises StoryError when it does not run."""

    def running() -> list[Worker]:
        context.cookies("https://example.org/")  # News of workers arrive only while the browser is asked something.
        return context.service_workers

    workers: list[Worker] = until("the extension's worker runs", running)
    return workers[-1]


def stop_workers(context: BrowserContext) -> None:
    """End the workers of Chromium's extensions, as it does when they have been idle."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("ServiceWorker.enable")
    session.send("ServiceWorker.stopAllWorkers")
    page.close()


def extension_url(context: BrowserContext) -> str:
    """The origin of the extension's own pages in Chromium."""
    return worker_of(context).url.rpartition("/background.js")[0]
