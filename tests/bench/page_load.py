"""``page_load``: what the extension costs on sites that are no AI services.

Four browsers side by side take turns on the same sites: two without an extension (their difference is the noise), one with
ours and the strict policy in force, one with an extension whose only content script runs on every page and does nothing.
"""

from __future__ import annotations

import json
import statistics
import time
from functools import partial
from pathlib import Path

from playwright.sync_api import Page

from tests.bench.browsers import browsers
from tests.bench.figures import interval
from tests.bench.registry import Bench
from tests.demo.browsers import EXTENSION
from tests.demo.house import House
from tests.demo.programs import until
from tests.demo.stand_in import StandIn

ROUNDS = 200
WARM_UP = 5
SITES = (
    "www.wikipedia.org", "news.ycombinator.com", "www.python.org", "github.com", "www.debian.org", "www.bbc.com",
    "stackoverflow.com", "www.spiegel.de", "mail.example.com", "intranet.example",
)  # fmt: skip
WITHOUT = "the same browser without an extension"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
ARMS = ("without", "again", "with", "scripted")
LABELS = {"with": "", "again": "_aa", "scripted": "_scripted"}

Loads = dict[str, list[float]]


def page_load(bench: Bench) -> None:
    """Load the sites in turn in all four browsers."""
    rounds = bench.times(ROUNDS, 10)
    house, stand_in = House(bench.folder / "house"), StandIn(bench.folder)
    try:
        house.open()
        with browsers(stand_in.flags) as open_one:
            extensions = {"without": None, "again": None, "with": EXTENSION, "scripted": _scripted(bench.folder)}
            profiles = {arm: house.profile if arm == "with" else bench.folder / arm for arm in ARMS}
            pages = {arm: open_one(profiles[arm], extensions[arm]).pages[0] for arm in ARMS}
            until("a browser is guarded", lambda: [b for b in house.status()["browsers"] if b["policy_version"]])
            wall, event = _load(pages, rounds)
    finally:
        house.close()
        stand_in.close()
    _add(bench, "page_load", wall, rounds)
    _add(bench, "page_load_event", event, rounds)


def _load(pages: dict[str, Page], rounds: int) -> tuple[Loads, Loads]:
    """Return, for each browser, the time until the load event is over as its user waits, and as the page itself says."""
    wall: Loads = {arm: [] for arm in ARMS}
    event: Loads = {arm: [] for arm in ARMS}
    for number in range(rounds + WARM_UP):
        site = SITES[number % len(SITES)]
        turn = number % len(ARMS)
        for arm in ARMS[turn:] + ARMS[:turn]:
            begin = time.perf_counter()
            pages[arm].goto(f"https://{site}/{number}", wait_until="load")
            wall[arm].append((time.perf_counter() - begin) * 1000)
            event[arm].append(float(until("the load event is over", partial(pages[arm].evaluate, LOADED))))
    return {arm: times[WARM_UP:] for arm, times in wall.items()}, {arm: t[WARM_UP:] for arm, t in event.items()}


def _add(bench: Bench, name: str, loads: Loads, rounds: int) -> None:
    """Add medians beside the plain browser's, and what ours cost in the same round beside what nothing costs (A/A)."""
    plain = statistics.median(loads["without"])
    for arm, label in LABELS.items():
        bench.add(f"{name}{label}", statistics.median(loads[arm]), "ms", rounds, peer=WITHOUT, peer_value=plain)
    ours, nothing = _differences(loads, "with"), _differences(loads, "again")
    cost, noise = statistics.median(ours), max(abs(edge) for edge in interval(nothing))
    bench.add(f"{name}_cost", cost, "ms", rounds)
    bench.add(f"{name}_noise", noise, "ms", rounds)
    low, high = interval(ours)
    verdict = "within" if abs(cost) <= noise else "NOT within"
    bench.say(f"    {name}: {cost:+.2f} ms ({low:+.2f} … {high:+.2f}), {verdict} A/A noise of ±{noise:.2f} ms")


def _differences(loads: Loads, arm: str) -> list[float]:
    return [b - a for a, b in zip(loads["without"], loads[arm], strict=True)]


def _scripted(folder: Path) -> Path:
    """Write the peer: the smallest extension that looks at every page."""
    made = folder / "scripted"
    made.mkdir()
    scripts = [{"matches": ["<all_urls>"], "js": ["page.js"], "run_at": "document_start", "all_frames": True}]
    manifest = {"manifest_version": 3, "name": "On every page", "version": "1", "content_scripts": scripts}
    (made / "manifest.json").write_text(json.dumps(manifest))
    (made / "page.js").write_text("document.documentElement;\n")
    return made
