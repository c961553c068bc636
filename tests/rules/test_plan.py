"""The plan: it says what the engine says, in a form that a browser takes."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from abide_rules import catalogue
from abide_rules.calendar import DAY_MS
from abide_rules.dnr import FIRST_ID, MAX_RULES_OF_A_KIND, PASS_PRIORITY
from abide_rules.engine import Engine, Observation
from abide_rules.errors import MalformedError
from abide_rules.people import Person
from abide_rules.plan import compile_plan, decode_plan, encode_plan
from abide_rules.policy import Release
from abide_rules.policy_file import TEMPLATES, load_template, parse_policy

NOW = int(dt.datetime.fromisoformat("2026-11-23T10:07+01:00").timestamp() * 1000)
MAX_MESSAGE_BYTES = 1_000_000


@pytest.fixture(params=TEMPLATES)
def release(request: pytest.FixtureRequest) -> Release:
    return Release(3, parse_policy(load_template(request.param)))


def test_a_plan_agrees_with_the_engine_at_every_half_hour(release: Release) -> None:
    person = Person("p", ("hr",), "Asia/Shanghai")
    plan, engine = compile_plan(release, person, NOW), Engine(release.policy)
    for at in range(NOW, plan.until, 1_800_000):
        now = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
        span = [s for s in plan.timeline if s.start <= at][-1]
        for service in ("chatgpt", "midjourney", "google-translate"):
            verdict = engine.decide(person, Observation(service), now)
            number = plan.sets[span.set].outcomes.get(service)
            outcome = plan.outcomes[number] if number is not None else None
            assert (outcome.verdict if outcome else "allow") == verdict.verdict
            assert outcome is None or outcome.rule == verdict.rule
            assert span.period == verdict.period


def test_a_plan_survives_the_wire_and_fits_into_a_native_message(release: Release) -> None:
    plan = compile_plan(release, Person(), NOW)
    raw = encode_plan(plan)
    assert decode_plan(raw) == plan
    assert len(raw) * 4 / 3 < MAX_MESSAGE_BYTES
    assert (plan.policy_version, plan.until - plan.compiled_at) == (3, 8 * DAY_MS)


def test_every_rule_has_its_own_number_in_its_range_and_stays_below_a_pass(release: Release) -> None:
    for rules in compile_plan(release, Person(), NOW).sets:
        ids = [rule["id"] for rule in rules.dnr]
        assert len(ids) == len(set(ids))
        assert all(any(first <= i < first + MAX_RULES_OF_A_KIND for first in FIRST_ID.values()) for i in ids)
        assert all(rule["priority"] < PASS_PRIORITY for rule in rules.dnr)
        assert all(re.compile(r["condition"]["regexFilter"]) for r in rules.dnr if "regexFilter" in r["condition"])


def test_only_verdicts_that_stop_a_visit_become_rules() -> None:
    rules = {
        name: compile_plan(Release(1, parse_policy(load_template(name))), Person(), NOW).sets for name in TEMPLATES
    }
    pages = {
        name: {r["action"]["redirect"]["regexSubstitution"] for r in sets[0].dnr if r["action"]["type"] == "redirect"}
        for name, sets in rules.items()
    }
    assert pages == {"strict": {"abide:block"}, "balanced": {"abide:warn"}, "awareness": set()}
    assert all(sets[1].dnr == [] for sets in rules.values())


def test_an_allowed_service_below_a_blocked_host_gets_an_exception() -> None:
    text = load_template("strict").replace(
        "    time: working\n", "    time: working\n    except: {services: [sora]}\n", 1
    )
    dnr = compile_plan(Release(1, parse_policy(text)), Person(), NOW).sets[0].dnr
    rules = [r for r in dnr if "sora.chatgpt.com" in r["condition"].get("requestDomains", ())]
    parent = next(r for r in dnr if "chatgpt.com" in r["condition"].get("requestDomains", ()))
    assert [r["action"]["type"] for r in rules] == ["allow"]
    assert rules[0]["priority"] > parent["priority"]


def test_every_regex_ends_where_the_whole_url_is_kept() -> None:
    dnr = compile_plan(Release(1, parse_policy(load_template("strict"))), Person(), NOW).sets[0].dnr
    for rule in dnr:
        if rule["action"]["type"] == "redirect":
            assert rule["condition"]["regexFilter"].endswith((".*", "$"))
            assert ".*" in rule["condition"]["regexFilter"]


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b"[]"])
def test_bytes_that_are_no_plan_raise_our_error(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_plan(raw)


def test_the_catalogue_s_hosts_are_written_as_a_browser_wants_them() -> None:
    index = catalogue.load().index.export()
    for host in [*index.suffix, *index.exact, *index.vendor, *index.path]:
        assert re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", host), host
