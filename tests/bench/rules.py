"""``classify`` and ``decide``: how many a second, on one core."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from pathlib import Path
from typing import Any

import msgspec

from abide_rules import catalogue
from abide_rules.calendar import Schedule
from abide_rules.engine import Engine, Observation
from abide_rules.people import Person
from abide_rules.policy import Policy
from abide_rules.policy_file import parse_policy
from tests.bench.figures import median_rate
from tests.bench.peer import BRAVEBLOCK, RULE_ENGINE, SCRIPTS, PeerError, ask
from tests.bench.registry import Bench

URLS = 40_000
CASES = 5_000
REPEATS = 5
FILTER = "braveblock 0.5.1 (Brave's filter engine; says blocked or not, names no service, knows no own pages)"
RULES = "rule-engine 5.1.0 (20 compiled rules; the period is given to it, it says no reason, no “until when”)"
ORDINARY = (
    "news.example",
    "www.wikipedia.org",
    "intranet.example",
    "github.com",
    "mail.example.com",
    "shop.example.net",
)
PATHS = ("/", "/a/b?c=d", "/search?q=two+words", "/index.html#part", "/en/products/12345?ref=mail")


def classify(bench: Bench) -> None:
    """Classify a mixture: a third services, a third look-alikes, a third anything else."""
    index = catalogue.load()
    urls = _urls(bench.times(URLS, 300))
    ours = median_rate(lambda: [index.classify(url) for url in urls], len(urls), REPEATS, time.perf_counter)
    theirs = None
    if (home := bench.home(BRAVEBLOCK)) is not None:
        given = bench.folder / "classify.json"
        given.write_text(json.dumps({"urls": urls, "hosts": sorted(_hosts()), "repeats": REPEATS}))
        theirs = _asked(bench, home, "braveblock_urls.py", given)
    peer_value = theirs["rate"] if theirs else None
    bench.add("classify", ours, "URLs/s", len(urls) * REPEATS, peer=FILTER, peer_value=peer_value)


def decide(bench: Bench) -> None:
    """Decide random cases under a policy of 20 rules; the peer must come to the same verdicts."""
    policy = parse_policy(_policy(), "bench")
    engine, cases = Engine(policy), _cases(bench.times(CASES, 300))
    people = [(Person("p", tuple(case["groups"])), _observation(case), _when(case)) for case in cases]
    rate = median_rate(lambda: [engine.decide(*one) for one in people], len(people), REPEATS, time.perf_counter)
    theirs = None
    if (home := bench.home(RULE_ENGINE)) is not None:
        given = bench.folder / "decide.json"
        given.write_text(json.dumps(_for_the_peer(engine, policy, cases)))
        theirs = _asked(bench, home, "rule_engine_rules.py", given)
        ours = [engine.decide(*one).rule for one in people]
        if theirs and theirs["rules"] != ours:
            bench.problem("decide: the peer's rules do not mean the same as ours")
            theirs = None
    bench.add("decide", rate, "decisions/s", len(cases) * REPEATS, peer=RULES, peer_value=theirs and theirs["rate"])


def _asked(bench: Bench, home: Path, script: str, given: Path) -> Any:
    try:
        return json.loads(ask(home, SCRIPTS / script, given))
    except PeerError as error:
        bench.problem(str(error))
        return None


def _hosts() -> set[str]:
    """Plain host names of the catalogue: those that a filter list can say too."""
    names = {name for service in catalogue.load().services.values() for name in service.domains}
    return {name.lstrip("=") for name in names if not set(name) & set("/*?")}


def _urls(count: int) -> list[str]:
    rng = random.Random(1)
    hosts = sorted(_hosts())

    def host() -> str:
        real, kind = rng.choice(hosts), rng.randrange(6)
        return (real, f"www.{real}", f"not{real}", f"{real}.example.org", rng.choice(ORDINARY), rng.choice(ORDINARY))[
            kind
        ]

    return [f"https://{host()}{rng.choice(PATHS)}" for _ in range(count)]


def _policy() -> str:
    """Twenty rules: every kind of condition, verdicts from inform to block."""
    groups = ["sales", "research", "legal", "engineering"]
    lines = [
        "language: 1", "id: bench", "title: {en: Bench, zh: 基准}",
        'calendar: {zone: UTC, hours: {mon-fri: ["09:00-17:30"]}}', "rules:",
    ]  # fmt: skip
    for number in range(20):
        verdict = ("inform", "warn", "justify", "block")[number % 4]
        services = ("category:image", "category:chat", "scope:core", "chatgpt", "all")[number % 5]
        lines += [
            f"  - id: rule-{number:02}",
            "    clause: BUS-1",
            f"    verdict: {verdict}",
            f"    services: ['{services}']",
            f"    time: {('always', 'working', 'free')[number % 3]}",
            f"    groups: [{groups[number % 4]}]",
            *([f"    purposes: [{('business', 'personal')[number % 2]}]"] if number % 5 else []),
            *([f"    except: {{groups: [{groups[(number + 1) % 4]}]}}"] if number % 3 == 0 else []),
            "    reason: {en: Because., zh: 因此。}",
            "    instead: {en: Otherwise., zh: 否则。}",
        ]
    return "\n".join(lines) + "\n"


def _cases(count: int) -> list[dict[str, Any]]:
    rng = random.Random(2)
    services = sorted(catalogue.load().services)
    return [
        {
            "service": rng.choice(["chatgpt", rng.choice(services)]),
            "groups": rng.sample(["sales", "research", "legal", "engineering"], rng.randrange(3)),
            "purpose": rng.choice(["business", "personal", "undeclared"]),
            "at": 1_795_392_000 + rng.randrange(7 * 24) * 3600,
        }
        for _ in range(count)
    ]


def _observation(case: dict[str, Any]) -> Observation:
    return Observation(case["service"], "browser", case["purpose"])


def _when(case: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromtimestamp(case["at"], dt.UTC)


def _for_the_peer(engine: Engine, policy: Policy, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The rules, strictest first, with their services spelt out, and the cases with their period."""
    schedule = Schedule(policy.calendar)
    strict = {"block": 0, "justify": 1, "warn": 2, "inform": 3}
    classes = {"prohibited": 0, "authorization_required": 1, "allowed": 2}
    rules = sorted(policy.rules, key=lambda r: (strict[r.verdict], classes[r.use_class], r.clause, r.id))
    return {
        "repeats": REPEATS,
        "rules": [msgspec.to_builtins(r) | {"services": sorted(engine.services_of(r))} for r in rules],
        "cases": [case | {"period": schedule.period(case["at"] * 1000)} for case in cases],
    }
