"""The extension in real browsers, with a real native-messaging host and an agent in the test's hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.demo.driver import driven, expect, visit
from tests.demo.page import Browser, Page
from tests.demo.programs import until
from tests.demo.stand_in import StandIn
from tests.e2e.hand_agent import HandAgent
from tests.e2e.plans import plan

ORIGIN = r"(chrome|moz)-extension://[^/]+"
BLOCKED = re.compile(rf"^{ORIGIN}/pages/block\.html(\?open=\d)?#https://")
WARNED = re.compile(rf"^{ORIGIN}/pages/warn\.html(\?open=\d)?#https://")
WAITING = "chrome.storage.local.get('queue').then(({{ queue }}) => queue?.length === {})"
RECONNECTED_S = 90  # the extension tries again after 1 s … 30 s; its worker may have to be started first
CHAT = "https://chatgpt.com/c/1?model=x#top"


class Desk:
    """A person's browser and agent; ``open`` and ``close`` the browser as often as needed, on one profile."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self.profile = folder / "profile"
        self.profile.mkdir()
        self.web = StandIn(folder)
        self.agent = HandAgent(folder, self.profile)
        self._stack = ExitStack()
        self.browser: Browser

    def open(self) -> Page:
        self.browser = self._stack.enter_context(driven(self._name, self.profile, self.web))
        return self.browser.pages[0]

    def close(self) -> None:
        self._stack.close()

    def reached(self, *hosts: str) -> list[tuple[str, str]]:
        return [(host, path) for host, path in self.web.hits if host in hosts]


@pytest.fixture
def desk(tmp_path: Path, browser: str) -> Iterator[Desk]:
    made = Desk(tmp_path, browser)
    yield made
    made.close()
    made.agent.stop()
    made.web.close()


def start(desk: Desk, verdict: str) -> Page:
    desk.agent.plan = plan(1, verdict)
    desk.agent.start()
    page = desk.open()
    desk.agent.wait_for("in_force", policy_version=1)
    return page


def push(desk: Desk, version: int, verdict: str) -> None:
    desk.agent.push(plan(version, verdict))
    desk.agent.wait_for("in_force", policy_version=version)


def test_a_visit_is_stopped_explained_and_recorded_once(desk: Desk) -> None:
    page = start(desk, "block")
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    expect(page.locator("#heading")).to_have_text("ChatGPT is blocked by company policy")
    expect(page.locator("#address")).to_have_text(CHAT)
    expect(page.locator("#clause")).to_have_text("Clause BUS-1, rule “the-rule”")
    seen = desk.agent.wait_for("observed")["observations"]
    assert [(o["kind"], o["service"], o["host"], o["verdict"]) for o in seen] == [
        ("visit", "chatgpt", "chatgpt.com", "block")
    ]
    page.reload()
    page.goto("https://example.org/")
    assert len(desk.agent.observed) == 1
    assert desk.reached("chatgpt.com") == []


def test_an_open_tab_follows_each_push(desk: Desk) -> None:
    page = start(desk, "allow")
    page.goto(CHAT)
    for version, verdict, address in (
        (2, "block", BLOCKED),
        (3, "warn", WARNED),
        (4, "allow", re.compile(f"^{re.escape(CHAT)}$")),
    ):
        push(desk, version, verdict)
        expect(page).to_have_url(address)


def test_continue_opens_one_tab_until_the_policy_is_stricter(desk: Desk) -> None:
    page = start(desk, "warn")
    page.goto(CHAT)
    expect(page.locator("#heading")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(WARNED)
    page.locator("#continue").click()
    expect(page).to_have_url(CHAT)
    other = desk.browser.new_page()
    other.goto(CHAT)
    expect(other).to_have_url(WARNED)
    push(desk, 2, "block")
    expect(page).to_have_url(BLOCKED)
    kinds = [one["kind"] for one in desk.agent.observed.values()]
    assert kinds.count("notice") == 1


def test_back_leads_from_a_closed_page_to_what_was_seen_before_it(desk: Desk) -> None:
    page = start(desk, "allow")
    page.goto("https://x.com/home")
    page.goto(CHAT)
    push(desk, 2, "block")
    expect(page).to_have_url(BLOCKED)
    expect(page.locator("#lead")).to_have_text("The browser closed this page because a rule applies to it now.")
    page.locator("#back").click()
    expect(page).to_have_url("https://x.com/home")


def test_same_page_navigation_and_encoded_paths_are_stopped(desk: Desk) -> None:
    page = start(desk, "block")
    page.goto("https://x.com/home")
    page.evaluate("history.pushState({}, '', '/i/grok')")
    expect(page).to_have_url(BLOCKED)
    page.locator("#back").click()
    expect(page).to_have_url("https://x.com/home")
    visit(page, "https://x.com/i/%67rok")
    expect(page).to_have_url(BLOCKED)


def test_inform_shows_a_banner_that_can_be_closed(desk: Desk) -> None:
    page = start(desk, "inform")
    page.goto(CHAT)
    desk.agent.wait_for("observed")
    count = "document.documentElement.lastElementChild.tagName"
    assert page.evaluate(count) == "DIV"
    page.evaluate("document.documentElement.lastElementChild.remove()")
    page.wait_for_function(f"{count} === 'DIV'")
    push(desk, 2, "allow")
    page.wait_for_function(f"{count} === 'BODY'")


def test_it_holds_without_agent_background_and_after_a_restart(desk: Desk) -> None:
    page = start(desk, "block")
    desk.agent.stop()
    page.goto("https://claude.ai/")
    expect(page).to_have_url(BLOCKED)
    page.wait_for_function(WAITING.format(1))
    desk.browser.stop_background()
    page.goto("https://example.org/")
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    page.wait_for_function(WAITING.format(2))
    assert desk.reached("chatgpt.com", "claude.ai") == []
    desk.close()
    page = desk.open()
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    expect(page.locator("#reason")).to_have_text("What you enter leaves the company.")
    assert desk.reached("chatgpt.com", "claude.ai") == []
    desk.agent.start()
    until("all three visits are stored", lambda: len(desk.agent.observed) >= 3, RECONNECTED_S)
    assert len(desk.agent.observed) == 3
    assert {one["service"] for one in desk.agent.observed.values()} == {"chatgpt", "claude"}


def test_another_key_and_an_older_policy_are_refused_and_shown(desk: Desk) -> None:
    page = start(desk, "block")
    push(desk, 2, "block")
    desk.agent.push(plan(1, "allow"))
    popup = desk.browser.new_page()
    popup.goto(f"{desk.browser.extension}/pages/popup.html")
    expect(popup.locator("#refusal")).to_contain_text("An older policy was offered")
    desk.agent.stop()
    imposter = HandAgent(desk.profile.parent, desk.profile)
    imposter.plan = plan(9, "allow")
    imposter.start()
    imposter.wait_for("hello", timeout=90)
    expect(popup.locator("#refusal")).to_contain_text("Another agent key was offered", timeout=20_000)
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    imposter.stop()
    assert imposter.observed == {}
