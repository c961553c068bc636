"""The plan: a policy compiled for one person's browsers, so that they need neither agent nor network to obey it.

A plan is a *timeline* of working and free periods for the next 8 days. Each period names a *set*: which service has which
*outcome*, and the declarativeNetRequest rules that make the browser's own engine stop the visits. The extension switches
sets by itself; after the 8 days it repeats the last 7. Times are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from abide_rules.calendar import DAY_MS
from abide_rules.catalogue import UrlIndex
from abide_rules.dnr import compile_rules
from abide_rules.engine import Engine
from abide_rules.errors import MalformedError
from abide_rules.events import Period, VerdictName
from abide_rules.people import Person
from abide_rules.policy import Release, Rule, Text, UseClass

PLAN_DAYS = 8
STOP_PAGES: dict[VerdictName, str] = {"warn": "abide:warn", "justify": "abide:block", "block": "abide:block"}
PERIODS: tuple[Period, ...] = ("working", "free")


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens on a visit and why. ``use_class`` is called ``class`` on the wire.

    ``continue_minutes`` is how long *Continue* on a warning holds; ``record`` says whether an event is made.
    """

    verdict: VerdictName
    rule: str
    clause: str
    use_class: UseClass = msgspec.field(name="class")
    reason: Text
    instead: Text
    continue_minutes: int
    record: bool


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the timeline: from ``start`` until the next entry's start, ``set`` is in force."""

    start: int
    period: Period
    set: int


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in force during a period: service id → index of its outcome, and the browser's rules.

    A service that is not listed is allowed. In ``dnr`` a redirect to ``abide:block`` or ``abide:warn`` stands for the
    extension's own page, whose address only the extension knows.
    """

    outcomes: dict[str, int]
    dnr: list[dict[str, Any]]


class ServiceName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page needs to name a service."""

    name: str
    category: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole plan (payload of a DSSE envelope of type PLAN_TYPE, signed with the device's key)."""

    v: Literal[1]
    policy_id: str
    policy_version: int
    title: Text
    compiled_at: int
    person: str
    zone: str
    timeline: tuple[Span, ...]
    until: int
    outcomes: tuple[Outcome, ...]
    sets: tuple[RuleSet, ...]
    services: dict[str, ServiceName]
    index: UrlIndex


def compile_plan(release: Release, person: Person, now_ms: int) -> Plan:
    """Return the plan of a release for a person whose purpose is undeclared, from ``now_ms`` on."""
    engine = Engine(release.policy)
    schedule = engine.schedule(person.zone)
    until = now_ms + PLAN_DAYS * DAY_MS
    chosen = {period: engine.rules_in(person, "browser", "undeclared", period) for period in PERIODS}
    rules = sorted({r.id: r for by in chosen.values() for r in by.values()}.values(), key=lambda r: r.id)
    number = {rule.id: n for n, rule in enumerate(rules)}
    named = sorted({s for by in chosen.values() for s, rule in by.items() if rule.verdict != "allow"})
    index = engine.catalogue.index.export()
    return Plan(
        v=1,
        policy_id=release.policy.id,
        policy_version=release.version,
        title=release.policy.title,
        compiled_at=now_ms,
        person=person.id,
        zone=schedule.zone,
        timeline=tuple(Span(at, p, PERIODS.index(p)) for at, p in schedule.boundaries(now_ms, until)),
        until=until,
        outcomes=tuple(_outcome(rule, release) for rule in rules),
        sets=tuple(_rule_set(chosen[period], number, index) for period in PERIODS),
        services={
            s: ServiceName(engine.catalogue.services[s].name, engine.catalogue.services[s].category) for s in named
        },
        index=index,
    )


def encode_plan(plan: Plan) -> bytes:
    """Return the bytes of a plan, the payload that the device signs."""
    return msgspec.json.encode(plan)


def decode_plan(raw: bytes) -> Plan:
    """Parse the bytes of a plan. Raises MalformedError."""
    try:
        return msgspec.json.decode(raw, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a plan: {error}") from error


def _outcome(rule: Rule, release: Release) -> Outcome:
    return Outcome(
        verdict=rule.verdict,
        rule=rule.id,
        clause=rule.clause,
        use_class=rule.use_class,
        reason=rule.reason,
        instead=rule.instead,
        continue_minutes=rule.continue_minutes or release.policy.continue_minutes,
        record=rule.is_recorded,
    )


def _rule_set(chosen: dict[str, Rule], number: dict[str, int], index: UrlIndex) -> RuleSet:
    outcomes = {service: number[rule.id] for service, rule in sorted(chosen.items()) if rule.verdict != "allow"}
    stops = {s: STOP_PAGES[rule.verdict] for s, rule in chosen.items() if rule.verdict in STOP_PAGES}
    blocked = {s for s, rule in chosen.items() if STOP_PAGES.get(rule.verdict) == "abide:block"}
    return RuleSet(outcomes, compile_rules(index, stops, blocked))
