"""Every page passes axe-core (WCAG 2.2 AA, contrast included), light and dark, English and Chinese, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.demo.driver import BROWSERS, expect
from tests.demo.house import House
from tests.demo.page import Page
from tests.demo.programs import ROOT
from tests.demo.story import BLOCK_PAGE, WARN_PAGE
from tests.e2e.laptop import Laptop, open_laptop

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
RUN = """async () => {
  %s;
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
  if (found.passes.length < 5) return ["axe looked at nothing"];
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`));
}"""


def block_one_and_warn_of_the_others(house: House) -> None:
    house.change_policy(
        "verdict: block\n    time: working", "verdict: block\n    services: [chatgpt]\n    time: working"
    )
    warn = "  - id: others\n    clause: BUS-1\n    verdict: warn\n    time: working\n"
    texts = "    reason: {en: Not for business., zh: 不得用于业务。}\n    instead: {en: Ask., zh: 请咨询。}\n"
    house.policy.write_text(house.policy.read_text("utf-8") + "\n" + warn + texts, "utf-8")
    house.publish()


LOOKS = {"English, light": ("en-US", False), "Chinese, dark": ("zh-CN", True)}
NARROWEST = {"chromium": 320, "firefox": 500}  # Firefox makes no narrower window.


@pytest.fixture(scope="module", params=[(look, name) for name in BROWSERS for look in LOOKS], ids=", ".join)
def laptop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    look, name = request.param
    locale, dark = LOOKS[look]
    folder = tmp_path_factory.mktemp("laptop")
    with open_laptop(folder, block_one_and_warn_of_the_others, browser=name, locale=locale, dark=dark) as laptop:
        yield laptop


def violations(page: Page) -> list[str]:
    found: list[str] = page.evaluate(RUN % AXE)
    return found


def stopped(laptop: Laptop, url: str, page: re.Pattern[str]) -> Page:
    tab = laptop.visit(url)
    expect(tab).to_have_url(page)
    expect(tab.locator("#heading")).to_be_focused()
    return tab


@pytest.mark.parametrize("is_narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", ["block", "warn", "popup", "server"])
def test_a_page_has_no_barrier_and_nothing_is_cut_off(laptop: Laptop, name: str, is_narrow: bool) -> None:
    if name == "block":
        tab = stopped(laptop, "https://chatgpt.com/", BLOCK_PAGE)
    elif name == "warn":
        tab = stopped(laptop, "https://claude.ai/a-long-path-that-must-wrap-somewhere-in-a-narrow-window", WARN_PAGE)
    else:
        tab = laptop.browser.new_page()
        tab.goto(laptop.house.url if name == "server" else f"{laptop.browser.extension}/pages/popup.html")
        expect(tab.locator("#records li, #devices, #events").first).to_be_visible()
    width = NARROWEST[laptop.browser.name] if is_narrow else 1000
    tab.set_viewport_size({"width": width, "height": 800})
    try:
        tab.wait_for_function(f"innerWidth === {width}")
        assert violations(tab) == []
        if name != "server":
            assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        tab.close()
