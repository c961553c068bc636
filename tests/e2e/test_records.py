"""What a person met is recorded, and once: whatever happens between the page that shows it and the queue that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.demo.programs import until
from tests.e2e.desk import BLOCKED, CHAT, Desk, new_desk, start

FAIL_TWICE = """() => {
  const set = chrome.storage.local.set.bind(chrome.storage.local);
  let left = 2;
  globalThis.failed = 0;
  chrome.storage.local.set = (values) => {
    if (!("queue" in values) || left-- <= 0) return set(values);
    globalThis.failed += 1;
    return Promise.reject(new Error("no space"));
  };
}"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with new_desk(tmp_path) as desk:
        yield desk


def test_a_visit_that_could_not_be_kept_is_told_again(desk: Desk) -> None:
    page = start(desk, "block")
    worker = desk.worker()
    worker.evaluate(FAIL_TWICE)
    page.goto(CHAT)
    expect(page).to_have_url(BLOCKED)
    until("the visit is stored", lambda: desk.agent.observed)
    assert worker.evaluate("globalThis.failed") == 2
    assert [one["host"] for one in desk.agent.observed.values()] == ["chatgpt.com"]


def test_a_stop_page_loaded_again_left_and_come_back_to_is_one_visit(desk: Desk) -> None:
    page = start(desk, "block")
    page.goto(CHAT)
    until("the visit is stored", lambda: desk.agent.observed)
    for _ in range(5):
        page.reload()
        page.goto("https://example.org/")
        page.go_back()
        expect(page).to_have_url(BLOCKED)
    page.goto("https://claude.ai/")
    until("the next visit is stored", lambda: len(desk.agent.observed) > 1)
    assert [one["host"] for one in desk.agent.observed.values()] == ["chatgpt.com", "claude.ai"]
