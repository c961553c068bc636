"""Deciding: the strictest rule that does not except the case wins, whatever the order."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abide_rules.calendar import Calendar
from abide_rules.engine import RANK, Engine, Observation, decide
from abide_rules.events import Purpose
from abide_rules.people import Person
from abide_rules.policy import Except, Policy, Rule, Text
from abide_rules.policy_file import TEMPLATES, load_template, parse_policy

T = Text("why", "为什么")
WORK = dt.datetime.fromisoformat("2026-11-23T10:00+00:00")
FREE = dt.datetime.fromisoformat("2026-11-23T20:00+00:00")
CALENDAR = Calendar(zone="UTC", hours={"mon-fri": ("09:00-17:00",)})


def rule(name: str, verdict: Any, **fields: Any) -> Rule:
    return Rule(id=name, clause="BUS-1", verdict=verdict, reason=T, instead=T, **fields)


def policy(*rules: Rule) -> Policy:
    return Policy(language=1, id="p", title=T, calendar=CALENDAR, rules=rules)


BLOCK_WORK = rule("work", "block", time="working")
WARN_ALL = rule("all", "warn")


@pytest.mark.parametrize(
    ("rules", "observation", "person", "now", "expected"),
    [
        ((BLOCK_WORK, WARN_ALL), Observation("chatgpt"), Person(), WORK, "work"),
        ((WARN_ALL, BLOCK_WORK), Observation("chatgpt"), Person(), WORK, "work"),
        ((BLOCK_WORK, WARN_ALL), Observation("chatgpt"), Person(), FREE, "all"),
        ((BLOCK_WORK,), Observation("chatgpt"), Person(), FREE, ""),
        ((rule("g", "block", groups=("dev",)),), Observation("chatgpt"), Person("p", ("dev",)), WORK, "g"),
        ((rule("g", "block", groups=("dev",)),), Observation("chatgpt"), Person("p", ("hr",)), WORK, ""),
        ((rule("x", "block", except_=Except(groups=("dev",))), WARN_ALL), Observation("chatgpt"), Person("p", ("dev",)), WORK, "all"),
        ((rule("x", "block", except_=Except(services=("chatgpt",))),), Observation("chatgpt"), Person(), WORK, ""),
        ((rule("x", "block", except_=Except(services=("category:chat",))),), Observation("claude"), Person(), WORK, ""),
        ((rule("x", "block", except_=Except(purposes=("personal",))),), Observation("chatgpt", purpose="personal"), Person(), WORK, ""),
        ((rule("x", "block", purposes=("business",)),), Observation("chatgpt", purpose="undeclared"), Person(), WORK, ""),
        ((rule("x", "block", purposes=("business",)),), Observation("chatgpt", purpose="business"), Person(), FREE, "x"),
        ((rule("x", "block", surfaces=("desktop",)),), Observation("chatgpt", surface="browser"), Person(), WORK, ""),
        ((rule("x", "block", services=("claude",)),), Observation("chatgpt"), Person(), WORK, ""),
        ((rule("x", "block", services=("category:image",)),), Observation("midjourney"), Person(), WORK, "x"),
        ((rule("b", "warn"), rule("a", "warn")), Observation("chatgpt"), Person(), WORK, "a"),
        ((rule("a", "warn", class_="allowed"), rule("b", "warn")), Observation("chatgpt"), Person(), WORK, "b"),
        ((rule("x", "block"),), Observation("google-translate"), Person(), WORK, ""),
        ((rule("x", "block", services=("scope:adjacent",)),), Observation("google-translate"), Person(), WORK, "x"),
    ],
    ids=[
        "the strictest wins", "… whatever the order", "a working-time rule is silent in free time", "no rule: allowed",
        "a rule for a group", "… does not concern others", "an excepted group falls to the next rule",
        "an excepted service", "an excepted category", "an excepted purpose", "a purpose that was not declared",
        "a purpose that was", "another surface", "another service", "a category", "a tie goes by id",
        "a tie goes to the stricter class first", "adjacent services are not in all", "… but can be named",
    ],
)  # fmt: skip
def test_the_rule_that_decides(
    rules: tuple[Rule, ...], observation: Observation, person: Person, now: dt.datetime, expected: str
) -> None:
    verdict = decide(policy(*rules), person, observation, now)
    assert verdict.rule == expected
    assert (verdict.verdict == "allow") == (expected == "")


@pytest.mark.parametrize(
    ("rules", "now", "until"),
    [
        ((BLOCK_WORK, WARN_ALL), WORK, "2026-11-23T17:00:00+00:00"),
        ((BLOCK_WORK,), WORK, "2026-11-23T17:00:00+00:00"),
        ((rule("always", "block"),), WORK, None),
        ((BLOCK_WORK, WARN_ALL), FREE, None),
        ((rule("free", "block", time="free"), WARN_ALL), dt.datetime.fromisoformat("2026-11-20T20:00+00:00"), "2026-11-23T09:00:00+00:00"),
    ],
    ids=["until the end of working time", "… when nothing follows", "never", "nothing milder follows", "over a weekend"],
)  # fmt: skip
def test_until_when_it_holds(rules: tuple[Rule, ...], now: dt.datetime, until: str | None) -> None:
    verdict = decide(policy(*rules), None, Observation("chatgpt"), now)
    assert (verdict.until.isoformat() if verdict.until else None) == until


def make_rules() -> st.SearchStrategy[list[Rule]]:
    one = st.builds(
        lambda verdict, time, purposes, services: (verdict, time, tuple(purposes), services),
        st.sampled_from(list(RANK)),
        st.sampled_from(["working", "free", "always"]),
        st.lists(st.sampled_from(["business", "personal", "undeclared"]), unique=True, max_size=2),
        st.sampled_from([("all",), ("chatgpt",), ("category:image",)]),
    )
    return st.lists(one, min_size=1, max_size=6).map(
        lambda rows: [
            rule(f"r{n}", verdict, time=time, purposes=purposes, services=services)
            for n, (verdict, time, purposes, services) in enumerate(rows)
        ]
    )


@given(make_rules(), st.sampled_from(["business", "personal", "undeclared"]), st.booleans(), st.randoms())
def test_order_does_not_matter_and_one_more_rule_never_makes_it_milder(
    rules: list[Rule], purpose: Purpose, working: bool, dice: random.Random
) -> None:
    case, now = Observation("chatgpt", purpose=purpose), WORK if working else FREE
    verdict = decide(policy(*rules), None, case, now)
    dice.shuffle(rules)
    assert decide(policy(*rules), None, case, now) == verdict
    fewer = rules[:-1]
    if fewer:
        assert RANK[decide(policy(*fewer), None, case, now).verdict] <= RANK[verdict.verdict]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_rules_of_a_period_are_those_that_decide_each_service(name: str) -> None:
    engine = Engine(parse_policy(load_template(name)))
    for now, period in ((WORK, "working"), (FREE, "free")):
        chosen = engine.rules_in(Person(), "browser", "undeclared", period)  # type: ignore[arg-type]
        for service in list(engine.catalogue.services)[::17]:
            expected = engine.decide(Person(), Observation(service), now).rule
            assert (chosen[service].id if service in chosen else "") == expected


@pytest.mark.parametrize(
    ("name", "now", "verdict", "clause"),
    [
        ("strict", WORK, "block", "BUS-1"), ("strict", FREE, "inform", "PER-1"),
        ("balanced", WORK, "warn", "BUS-1"), ("balanced", FREE, "count", "PER-1"),
        ("awareness", WORK, "inform", "BUS-1"), ("awareness", FREE, "allow", "PER-1"),
    ],
)  # fmt: skip
def test_the_templates_keep_the_clauses_on_business_and_personal_use(
    name: str, now: dt.datetime, verdict: str, clause: str
) -> None:
    found = decide(parse_policy(load_template(name)), None, Observation("chatgpt"), now)
    assert (found.verdict, found.clause) == (verdict, clause)


def test_what_is_allowed_is_not_recorded_unless_the_rule_says_so() -> None:
    assert not decide(policy(rule("x", "inform")), None, Observation("chatgpt"), WORK).is_recorded
    assert decide(policy(rule("x", "inform", record=True)), None, Observation("chatgpt"), WORK).is_recorded
    assert decide(policy(rule("x", "block")), None, Observation("chatgpt"), WORK).is_recorded
    assert decide(policy(rule("x", "warn")), None, Observation("chatgpt"), WORK).is_recorded
    quiet = msgspec.structs.replace(BLOCK_WORK, record=False)
    assert not decide(policy(quiet), None, Observation("chatgpt"), WORK).is_recorded
