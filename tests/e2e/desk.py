"""A person's Chromium with the extension, the web it sees, and an agent in the test's hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Worker

from abide_rules.plan import Plan
from abide_rules.wire import EXTENSION_ID_CHROMIUM
from tests.demo.browsers import driven_chromium, worker_of
from tests.demo.stand_in import StandIn
from tests.e2e.hand_agent import HandAgent
from tests.e2e.plans import plan

ORIGIN = f"chrome-extension://{EXTENSION_ID_CHROMIUM}"
BLOCKED = re.compile(rf"^{ORIGIN}/pages/block\.html(\?open=\d)?#https://")
WARNED = re.compile(rf"^{ORIGIN}/pages/warn\.html(\?open=\d)?#https://")
CHAT = "https://chatgpt.com/c/1?model=x#top"


class Desk:
    """A person's browser and agent; ``open`` and ``close`` the browser as often as needed, on one profile."""

    def __init__(self, folder: Path) -> None:
        self.profile = folder / "profile"
        self.profile.mkdir()
        self.web = StandIn(folder)
        self.agent = HandAgent(folder, self.profile)
        self._stack = ExitStack()
        self.context: BrowserContext

    def open(self) -> Page:
        self.context = self._stack.enter_context(driven_chromium(self.profile, self.web.flags))
        return self.context.pages[0]

    def close(self) -> None:
        self._stack.close()

    def hosts_reached(self) -> set[str]:
        return {host for host, _ in self.web.hits}

    def worker(self) -> Worker:
        """The extension's worker."""
        return worker_of(self.context)


@contextmanager
def new_desk(folder: Path) -> Iterator[Desk]:
    """A desk whose browser and agent are not started yet."""
    made = Desk(folder)
    yield made
    made.close()
    made.agent.stop()
    made.web.close()


def start(desk: Desk, verdict: str) -> Page:
    """Open the browser with a plan that has this verdict everywhere; returns its first tab when it is in force."""
    return start_with(desk, plan(1, verdict))


def start_with(desk: Desk, first: Plan) -> Page:
    """Open the browser with this plan; returns its first tab when it is in force."""
    desk.agent.plan = first
    desk.agent.start()
    page = desk.open()
    desk.agent.wait_for("in_force", policy_version=first.policy_version)
    return page


def push(desk: Desk, version: int, verdict: str) -> None:
    """Push a plan and wait until it is in force."""
    desk.agent.push(plan(version, verdict))
    desk.agent.wait_for("in_force", policy_version=version)
