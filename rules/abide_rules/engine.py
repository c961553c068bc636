"""The one engine: an observation under a policy at a time → a verdict that explains itself.

The strictest rule that matches and does not except the case wins, whatever the order of the rules. Pure: the same values
give the same verdict.
"""

from __future__ import annotations

import datetime as dt
import functools

import msgspec

from abide_rules import catalogue
from abide_rules.calendar import Schedule
from abide_rules.events import VERDICTS, Evidence, Period, Purpose, Surface, VerdictName
from abide_rules.people import UNKNOWN, Person
from abide_rules.policy import Policy, Rule, Text, UseClass

RANK = {name: rank for rank, name in enumerate(VERDICTS)}
_CLASS_RANK = {"allowed": 0, "authorization_required": 1, "prohibited": 2}


class Observation(msgspec.Struct, frozen=True):
    """Something seen: the use of a service (its id) on a surface, with the purpose the person declared."""

    service: str
    surface: Surface = "browser"
    purpose: Purpose = "undeclared"


class Verdict(msgspec.Struct, frozen=True):
    """What follows, and why. ``rule`` is empty and ``verdict`` is allow when no rule speaks of the case.

    ``until`` is when a milder verdict begins by itself; None when it does not within two weeks.
    """

    verdict: VerdictName
    period: Period
    rule: str = ""
    clause: str = ""
    use_class: UseClass = "allowed"
    reason: Text = Text("", "")
    instead: Text = Text("", "")
    until: dt.datetime | None = None
    continue_minutes: int = 0
    is_recorded: bool = False
    evidence: tuple[Evidence, ...] = ()


class Engine:
    """A policy made ready to decide. Immutable; keep one per release."""

    def __init__(self, policy: Policy, services: catalogue.Catalogue | None = None) -> None:
        self.policy = policy
        self.catalogue = services or catalogue.load()
        self._rules = tuple(
            sorted(((rule, self.services_of(rule)) for rule in policy.rules), key=lambda r: _strictness(r[0]))
        )
        self.schedule = functools.lru_cache(maxsize=64)(functools.partial(Schedule, policy.calendar))

    def decide(self, person: Person, observation: Observation, now: dt.datetime) -> Verdict:
        """Return the verdict at ``now`` (aware)."""
        at = int(now.timestamp() * 1000)
        schedule = self.schedule(person.zone)
        period = schedule.period(at)
        rule = self.rule_for(person, observation, period)
        if rule is None:
            return Verdict("allow", period)
        return Verdict(
            verdict=rule.verdict,
            period=period,
            rule=rule.id,
            clause=rule.clause,
            use_class=rule.use_class,
            reason=rule.reason,
            instead=rule.instead,
            until=self._until(person, observation, rule, period, at, now.tzinfo),
            continue_minutes=rule.continue_minutes or self.policy.continue_minutes,
            is_recorded=rule.is_recorded,
        )

    def rule_for(self, person: Person, observation: Observation, period: Period) -> Rule | None:
        """Return the strictest rule that matches in a period; None when none does."""
        for rule, services in self._rules:
            if observation.service in services and _matches(rule, person, observation, period):
                return rule
        return None

    def rules_in(self, person: Person, surface: Surface, purpose: Purpose, period: Period) -> dict[str, Rule]:
        """Return, for each service of which some rule speaks, the rule that decides in a period."""
        found: dict[str, Rule] = {}
        case = Observation("", surface, purpose)
        for rule, services in reversed(self._rules):
            if _matches(rule, person, case, period):
                found.update(dict.fromkeys(services, rule))
        return found

    def services_of(self, rule: Rule) -> frozenset[str]:
        """Return the ids of the services that a rule concerns."""
        chosen = frozenset[str]().union(*map(self.catalogue.select, rule.services))
        return chosen.difference(*map(self.catalogue.select, rule.except_.services))

    def _until(
        self, person: Person, observation: Observation, rule: Rule, period: Period, at: int, zone: dt.tzinfo | None
    ) -> dt.datetime | None:
        other = self.rule_for(person, observation, "free" if period == "working" else "working")
        if other is not None and RANK[other.verdict] >= RANK[rule.verdict]:
            return None
        change = self.schedule(person.zone).next_change(at)
        return None if change is None else dt.datetime.fromtimestamp(change / 1000, zone)


def decide(policy: Policy, person: Person | None, observation: Observation, now: dt.datetime) -> Verdict:
    """Return the verdict of ``policy`` for ``person`` (None: somebody unknown) at ``now`` (aware)."""
    return Engine(policy).decide(person or UNKNOWN, observation, now)


def _matches(rule: Rule, person: Person, observation: Observation, period: Period) -> bool:
    return (
        rule.time in ("always", period)
        and (not rule.surfaces or observation.surface in rule.surfaces)
        and (not rule.purposes or observation.purpose in rule.purposes)
        and (not rule.groups or not frozenset(rule.groups).isdisjoint(person.groups))
        and frozenset(rule.except_.groups).isdisjoint(person.groups)
        and observation.purpose not in rule.except_.purposes
    )


def _strictness(rule: Rule) -> tuple[int, int, str, str]:
    """Sort key: strictest first; rules of equal verdict by class, clause and id, never by their place."""
    return (-RANK[rule.verdict], -_CLASS_RANK[rule.use_class], rule.clause, rule.id)
