"""Every page passes axe-core (WCAG 2.2 AA, contrast included), light and dark, English and Chinese, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.demo.browsers import extension_url
from tests.demo.house import House
from tests.demo.programs import ROOT
from tests.demo.story import BLOCK_PAGE, WAIT_MS, WARN_PAGE
from tests.e2e.laptop import Laptop, open_laptop

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
RUN = """async () => {
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


@pytest.fixture(scope="module", params=[("en-US", False), ("zh-CN", True)], ids=["English, light", "Chinese, dark"])
def laptop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    locale, dark = request.param
    folder = tmp_path_factory.mktemp("laptop")
    with open_laptop(folder, block_one_and_warn_of_the_others, locale=locale, dark=dark) as laptop:
        yield laptop


def violations(page: Page) -> list[str]:
    page.evaluate(f"() => {{ {AXE} }}")
    found: list[str] = page.evaluate(RUN)
    return found


def stopped(context: BrowserContext, url: str, page: object) -> Page:
    tab = context.new_page()
    tab.goto(url, wait_until="commit")
    tab.wait_for_url(page, timeout=WAIT_MS)  # type: ignore[arg-type]
    expect(tab.locator("#heading")).to_be_focused(timeout=WAIT_MS)
    return tab


@pytest.mark.parametrize("width", [1000, 320])
@pytest.mark.parametrize("name", ["block", "warn", "popup", "server"])
def test_a_page_has_no_barrier_and_nothing_is_cut_off(laptop: Laptop, name: str, width: int) -> None:
    context = laptop.context
    if name == "block":
        tab = stopped(context, "https://chatgpt.com/", BLOCK_PAGE)
    elif name == "warn":
        tab = stopped(context, "https://claude.ai/a-long-path-that-must-wrap-somewhere-in-a-narrow-window", WARN_PAGE)
    else:
        tab = context.new_page()
        tab.goto(laptop.house.url if name == "server" else f"{extension_url(context)}/pages/popup.html")
        expect(tab.locator("#records li, #devices, #events").first).to_be_visible(timeout=WAIT_MS)
    tab.set_viewport_size({"width": width, "height": 800})
    try:
        assert violations(tab) == []
        if name != "server":
            assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        tab.close()
