"""Every way to a service that is not simply its address: each is stopped, or its limit is stated in the README."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.desk import BLOCKED, CHAT, ORIGIN, WARNED, Desk, new_desk, push, start

SITE = "https://site.example/"
FRAMED = re.compile(rf"^{ORIGIN}/pages/frame\.html#https://")
WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => event.respondWith(
  new Response("<h1>served offline</h1>", { headers: { "Content-Type": "text/html" } })));
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with new_desk(tmp_path_factory.mktemp("desk")) as desk:
        answers = desk.web.answers
        answers["site.example/"] = (200, {}, "<h1>A site</h1><a id=link href='https://chatgpt.com/c/1'>link</a>")
        answers["site.example/moved"] = (302, {"Location": CHAT}, "")
        answers["site.example/refresh"] = (200, {}, f"<meta http-equiv=refresh content='0;url={CHAT}'>")
        answers["chatgpt.com/report.pdf"] = (200, {"Content-Disposition": "attachment"}, "a file")
        answers["chatgpt.com/sw.js"] = (200, {"Content-Type": "text/javascript"}, WORKER)
        start(desk, "allow")
        yield desk


@pytest.fixture
def page(desk: Desk) -> Iterator[Page]:
    page = desk.context.new_page()
    page.goto(SITE)
    desk.web.hits.clear()
    yield page
    page.close()


class Versions:
    """The policy's versions count up through the module."""

    last = 1


def policy(desk: Desk, verdict: str) -> None:
    Versions.last += 1
    push(desk, Versions.last, verdict)


def click_link(page: Page, **attributes: str) -> None:
    page.evaluate(
        "attributes => { for (const [k, v] of Object.entries(attributes)) link.setAttribute(k, v); }", attributes
    )
    page.locator("#link").click(no_wait_after=True)


def post_form(page: Page) -> None:
    page.evaluate(f"""() => {{
      const form = document.body.appendChild(document.createElement("form"));
      Object.assign(form, {{ method: "post", action: "{CHAT}" }});
      form.submit(); }}""")


def other_tab(page: Page, act: Callable[[], object]) -> Page:
    with page.context.expect_page() as opened:
        act()
    return opened.value


def opener_is_moved(page: Page) -> None:
    other_tab(page, lambda: page.evaluate(f"() => {{ window.open('{SITE}').eval?.('') }}")).evaluate(
        f"() => {{ opener.location = '{CHAT}' }}"
    )


NAVIGATIONS: dict[str, Callable[[Page], object]] = {
    "a link": click_link,
    "a link that asks for a download": lambda page: click_link(page, download="chat.html"),
    "a link to a file of the service": lambda page: click_link(page, href="https://chatgpt.com/report.pdf"),
    "a redirect from another site": lambda page: page.goto(f"{SITE}moved", wait_until="commit"),
    "a page that refreshes itself to it": lambda page: page.goto(f"{SITE}refresh", wait_until="commit"),
    "a form that is posted": post_form,
    "a window that moves its opener": opener_is_moved,
    "a data: page's script": lambda page: page.goto(
        f"data:text/html,<script>location = '{CHAT.partition('#')[0]}'</script>", wait_until="commit"
    ),
}


@pytest.mark.parametrize("act", NAVIGATIONS.values(), ids=NAVIGATIONS.keys())
def test_a_navigation_ends_on_the_block_page_before_anything_is_sent(
    desk: Desk, page: Page, act: Callable[[Page], object]
) -> None:
    policy(desk, "block")
    act(page)
    expect(page).to_have_url(BLOCKED)
    assert "chatgpt.com" not in desk.hosts_reached()


def test_a_window_that_a_site_opens_is_stopped(desk: Desk, page: Page) -> None:
    policy(desk, "block")
    opened = other_tab(page, lambda: page.evaluate(f"() => {{ window.open('{CHAT}') }}"))
    expect(opened).to_have_url(BLOCKED)
    opened.close()


def test_the_source_view_shows_nothing_of_the_service(desk: Desk, page: Page) -> None:
    policy(desk, "block")
    session = desk.context.new_cdp_session(page)
    session.send("Page.navigate", {"url": "view-source:https://chatgpt.com/c/1"})
    page.wait_for_timeout(0)
    expect(page.locator("body")).not_to_contain_text("stands in for the real service")
    assert "chatgpt.com" not in desk.hosts_reached()


@pytest.mark.parametrize("verdict", ["block", "warn"])
def test_a_frame_in_another_site_says_what_is_stopped_and_links_to_a_tab(desk: Desk, page: Page, verdict: str) -> None:
    policy(desk, verdict)
    page.set_content(f"<h1>A site</h1><iframe id=f width=320 height=120 src='{CHAT}'></iframe>")
    frame = page.frame_locator("#f")
    expect(frame.locator("#heading")).to_contain_text("ChatGPT")
    expect(frame.locator("#clause")).to_have_text("Clause BUS-1, rule “the-rule”")
    assert "chatgpt.com" not in desk.hosts_reached()
    before = len(desk.agent.observed)
    opened = other_tab(page, lambda: frame.locator("#open").click())
    expect(opened).to_have_url(BLOCKED if verdict == "block" else WARNED)
    expect(opened.locator("#heading")).to_be_focused()
    desk.agent.wait_for("observed")
    assert len(desk.agent.observed) == before + 1, "the frame itself is not recorded"
    opened.close()


def test_an_open_frame_follows_each_push(desk: Desk, page: Page) -> None:
    policy(desk, "allow")
    page.set_content(f"<h1>A site</h1><iframe id=f width=320 height=120 src='{CHAT}'></iframe>")
    expect(page.frame_locator("#f").locator("textarea")).to_be_visible()
    policy(desk, "block")
    expect(page.frame_locator("#f").locator("#open")).to_be_visible()
    policy(desk, "allow")
    expect(page.frame_locator("#f").locator("textarea")).to_be_visible()


REQUESTS = {
    "fetch": "fetch(to, { mode: 'no-cors' })",
    "XMLHttpRequest": "new Promise((ok, no) => { const x = new XMLHttpRequest(); x.onload = ok; x.onerror = no;"
    " x.open('GET', to); x.send(); })",
    "WebSocket": "new Promise((ok, no) => { const s = new WebSocket(to.replace('http', 'ws')); s.onopen = ok;"
    " s.onerror = no; })",
    "a worker's fetch": "new Promise((ok, no) => { const w = new Worker(URL.createObjectURL(new Blob(["
    "`fetch('${to}', { mode: 'no-cors' }).then(() => postMessage(1), () => postMessage(0))`])));"
    " w.onmessage = (m) => m.data ? ok() : no(); })",
    "a beacon": "Promise.resolve(navigator.sendBeacon(to, 'x')).then(() => fetch(to, { mode: 'no-cors' }))",
}


@pytest.mark.parametrize("script", REQUESTS.values(), ids=REQUESTS.keys())
def test_another_site_sends_nothing_to_a_blocked_service(desk: Desk, page: Page, script: str) -> None:
    policy(desk, "block")
    attempt = f"to => ({script}).then(() => true, () => false)"
    assert page.evaluate(attempt, "https://chatgpt.com/api") is False
    assert page.evaluate("to => fetch(to, { mode: 'no-cors' }).then(() => true)", "https://www.google.com/x") is True
    assert "chatgpt.com" not in desk.hosts_reached()


def test_what_is_only_warned_of_is_not_touched_in_the_background(desk: Desk, page: Page) -> None:
    policy(desk, "warn")
    assert page.evaluate("to => fetch(to, { mode: 'no-cors' }).then(() => true)", "https://chatgpt.com/api") is True


def test_a_page_that_was_continued_works_entirely_until_a_stricter_policy(desk: Desk, page: Page) -> None:
    policy(desk, "warn")
    page.goto(CHAT, wait_until="commit")
    expect(page).to_have_url(WARNED)
    page.locator("#continue").click()
    expect(page).to_have_url(CHAT)
    assert page.evaluate("to => fetch(to).then((r) => r.ok)", "https://chatgpt.com/api") is True
    for host in ("chatgpt.com", "chat.com", "chat.openai.com"):
        page.evaluate(
            "to => document.body.append(Object.assign(document.createElement('iframe'), { src: to, id: 'f' }))",
            f"https://{host}/frame",
        )
        expect(page.frame_locator("#f").locator("textarea")).to_be_visible()
        page.evaluate("() => document.getElementById('f').remove()")
    policy(desk, "block")
    expect(page).to_have_url(BLOCKED)


def test_a_page_that_its_own_service_worker_serves_is_stopped(desk: Desk, page: Page) -> None:
    policy(desk, "allow")
    page.goto("https://chatgpt.com/app")
    page.evaluate("() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
    page.goto("https://chatgpt.com/app")
    expect(page.locator("h1")).to_have_text("served offline")
    policy(desk, "block")
    expect(page).to_have_url(BLOCKED)
    page.goto("https://chatgpt.com/app", wait_until="commit")
    expect(page).to_have_url(BLOCKED)
    policy(desk, "allow")
    expect(page).to_have_url("https://chatgpt.com/app")
    page.evaluate("() => navigator.serviceWorker.getRegistration().then((held) => held.unregister())")


def test_back_to_a_page_kept_in_memory_is_stopped(desk: Desk, page: Page) -> None:
    policy(desk, "allow")
    page.goto("https://claude.ai/new")
    page.goto(SITE)
    policy(desk, "block")
    page.evaluate("() => history.back()")
    expect(page).to_have_url(BLOCKED)


def test_a_page_that_a_site_prerenders_is_stopped(desk: Desk, page: Page) -> None:
    policy(desk, "block")
    rules = {"prerender": [{"source": "list", "urls": [f"{SITE}moved", CHAT]}], "prefetch": [{"urls": [CHAT]}]}
    page.evaluate(
        "rules => document.head.append(Object.assign(document.createElement('script'), "
        "{ type: 'speculationrules', textContent: rules }))",
        json.dumps(rules),
    )
    page.locator("#link").hover()
    page.evaluate("to => fetch(to)", f"{SITE}later")
    click_link(page)
    expect(page).to_have_url(BLOCKED)
    assert "chatgpt.com" not in desk.hosts_reached()


def test_every_window_obeys_a_push(desk: Desk, page: Page) -> None:
    policy(desk, "allow")
    features = "width=500,height=400"
    windows = [
        other_tab(page, lambda: page.evaluate(f"() => {{ window.open('{CHAT}', '_blank', '{features}') }}"))
        for _ in range(3)
    ]
    policy(desk, "block")
    for window in windows:
        expect(window).to_have_url(BLOCKED)
        window.close()


def test_a_blob_page_cannot_frame_the_service(desk: Desk, page: Page) -> None:
    policy(desk, "block")
    opened = other_tab(
        page,
        lambda: page.evaluate(
            "html => { window.open(URL.createObjectURL(new Blob([html], { type: 'text/html' }))) }",
            f"<iframe id=f src='{CHAT}'></iframe>",
        ),
    )
    expect(opened.frame_locator("#f").locator("#open")).to_be_visible()
    assert "chatgpt.com" not in desk.hosts_reached()
    opened.close()
