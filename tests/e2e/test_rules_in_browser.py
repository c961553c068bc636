"""Chromium's own engine, the extension's matcher and ``classify`` agree on every pattern of the catalogue."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Page, sync_playwright

from abide_rules import catalogue
from abide_rules.people import UNKNOWN
from abide_rules.plan import compile_plan
from abide_rules.policy import Release
from abide_rules.policy_file import load_template, parse_policy
from tests.demo.browsers import CHROMIUMS, EXTENSION, QUIET, find, sandbox_flags, worker_of

MANIFEST = {
    "manifest_version": 3,
    "name": "Probe",
    "version": "1",
    "permissions": ["declarativeNetRequest", "declarativeNetRequestFeedback"],
    "host_permissions": ["<all_urls>"],
    "background": {"service_worker": "worker.js"},
    "web_accessible_resources": [{"resources": ["page.html"], "matches": ["<all_urls>"]}],
}
PAGE = '<!doctype html><title>probe</title><script type="module" src="page.js"></script>'
SCRIPT = """
import { classify } from "./js/match.js";
globalThis.classifyAll = (index, urls) => urls.map((url) => classify(index, url).service || null);
globalThis.install = async (rules) => {
  const old = (await chrome.declarativeNetRequest.getDynamicRules()).map((rule) => rule.id);
  const page = chrome.runtime.getURL("page.html");
  const own = JSON.parse(JSON.stringify(rules).replaceAll(/"abide:(?:block|warn)"/g, JSON.stringify(page + "#\\\\0")));
  await chrome.declarativeNetRequest.updateDynamicRules({ removeRuleIds: old, addRules: own });
  const redirects = new Set(rules.filter((rule) => rule.action.type === "redirect").map((rule) => rule.id));
  const blocks = new Set(rules.filter((rule) => rule.action.type === "block").map((rule) => rule.id));
  globalThis.stopped = (urls, request) => Promise.all(urls.map(async (url) => {
    const found = await chrome.declarativeNetRequest.testMatchOutcome({ url, ...request });
    const ids = request.initiator ? blocks : redirects;
    return found.matchedRules.some((rule) => ids.has(rule.ruleId));
  }));
  return own.length;
};
globalThis.ready = true;
"""
CATALOGUE = catalogue.load()
NOW = 1_795_510_800_000
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "vectors/classify.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    chromium = find(CHROMIUMS)
    assert chromium, "Chromium is not installed. Run: sudo apt-get install chromium"
    folder = tmp_path_factory.mktemp("probe")
    shutil.copytree(EXTENSION / "js", folder / "js")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "page.html").write_text(PAGE)
    (folder / "page.js").write_text(SCRIPT)
    (folder / "worker.js").write_text("")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=chromium,
            headless=False,
            ignore_default_args=["--disable-extensions"],
            args=["--headless=new", *sandbox_flags(), *QUIET, f"--load-extension={folder}"],
        )
        page = context.new_page()
        page.goto(f"{worker_of(context).url.rpartition('/')[0]}/page.html")
        page.wait_for_function("globalThis.ready")
        yield page
        context.close()


def install(probe: Page, policy_text: str) -> tuple[list[dict[str, Any]], set[str]]:
    plan = compile_plan(Release(1, parse_policy(policy_text)), UNKNOWN, NOW)
    working = plan.sets[0]
    assert probe.evaluate("rules => install(rules)", working.dnr) == len(working.dnr) > 50
    stops = {s for s, n in working.outcomes.items() if plan.outcomes[n].verdict in ("warn", "justify", "block")}
    return working.dnr, stops


def urls_of_the_catalogue() -> list[str]:
    urls = []
    for service in CATALOGUE.services.values():
        for pattern in service.domains + service.api_hosts + service.related_hosts:
            bare = pattern.removeprefix("=").replace("*", "any1")
            host, slash, path = bare.partition("/")
            urls += [
                f"https://{bare}",
                f"http://{host}:8080/{path}",
                f"https://www.{bare}",
                f"https://user@{host}/{path}",
            ]
            urls += [f"https://docs.{bare}", f"https://{host}/pricing", f"https://{host.upper()}./{path}"]
            urls += [f"https://not{host}/{path}", f"https://{host}.evil.example/{path}", f"https://x.test/?u={bare}"]
            if slash:
                urls += [f"https://{host}/", f"https://{bare}x", f"https://{bare.replace('/', '//')}#top"]
                urls += [f"https://{bare}&a=b" if "?" in bare else f"https://{bare}/sub?a=b#c"]
    return urls


def expected(urls: list[str], stops: set[str]) -> list[bool]:
    return [CATALOGUE.classify(url).service in stops for url in urls]


def differences(urls: list[str], found: list[Any], wanted: list[Any]) -> list[tuple[str, Any, Any]]:
    return [(url, f, w) for url, f, w in zip(urls, found, wanted, strict=True) if f != w][:20]


@pytest.mark.parametrize(
    "text",
    [
        load_template("strict"),
        load_template("balanced"),
        load_template("strict").replace(
            "    time: working\n",
            '    time: working\n    except: {services: [sora, codex, "category:image", chatgpt]}\n',
            1,
        ),
        load_template("strict").replace(
            "    time: working\n",
            '    time: working\n    services: [grok, google-ai-mode, claude, "scope:adjacent"]\n',
            1,
        ),
    ],
    ids=["strict", "balanced", "with exceptions", "some services only"],
)
def test_the_browser_stops_exactly_what_classify_says(probe: Page, text: str) -> None:
    _rules, stops = install(probe, text)
    urls = urls_of_the_catalogue()
    assert len(urls) > 20_000
    for kind in ("main_frame", "sub_frame"):
        found = probe.evaluate("([urls, type]) => stopped(urls, { type })", [urls, kind])
        assert differences(urls, found, expected(urls, stops)) == []


@pytest.mark.parametrize("kind", ["xmlhttprequest", "websocket", "ping"])
def test_other_sites_reach_exactly_what_is_not_blocked(probe: Page, kind: str) -> None:
    _rules, stops = install(probe, load_template("strict"))
    urls = [url for url in urls_of_the_catalogue() if "//user@" not in url]
    if kind == "websocket":
        urls = [url.replace("http", "ws", 1) for url in urls]
    own = expected([f"https://{urlsplit(url).hostname}/" for url in urls], stops)  # Not a host shared with others.
    wanted = [blocked and is_own for blocked, is_own in zip(expected(urls, stops), own, strict=True)]
    ask = "([urls, type, initiator]) => stopped(urls, { type, initiator })"
    found = probe.evaluate(ask, [urls, kind, "https://intranet.example"])
    assert (d := differences(urls, found, wanted)) == [], d
    for page in ("https://claude.ai", "https://docs.claude.com", "https://openai.com"):
        assert not any(probe.evaluate(ask, [urls[:500], kind, page]))


def test_the_extension_s_matcher_says_what_classify_says(probe: Page) -> None:
    urls = [*urls_of_the_catalogue(), *(case["url"] for case in CASES)]
    index = msgspec.to_builtins(CATALOGUE.index.export())
    found = probe.evaluate("([index, urls]) => classifyAll(index, urls)", [index, urls])
    assert differences(urls, found, [CATALOGUE.classify(url).service for url in urls]) == []
