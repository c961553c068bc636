"""A policy as people write it: YAML, checked with line and column; the templates; the JSON Schema for editors."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from abide_rules import catalogue
from abide_rules.calendar import Calendar, Schedule
from abide_rules.errors import Mistake, PolicyError
from abide_rules.i18n import _
from abide_rules.policy import Policy, Rule, Text
from abide_rules.wire import MAX_POLICY_BYTES
from abide_rules.yamlfile import YamlFile, did_you_mean

TEMPLATES = ("strict", "balanced", "awareness")
_FOLDER = Path(__file__).parent / "templates"


def parse_policy(text: str, name: str = "policy") -> Policy:
    """Return the policy that ``text`` (YAML) says. Raises PolicyError with every mistake and its place."""
    file = YamlFile(text, name, MAX_POLICY_BYTES)
    mistakes: list[Mistake] = []
    if not isinstance(file.data, dict):
        raise file.error(1, 1, _("a policy is a mapping"), _("Begin with “abide-policy new strict -o FILE”."))
    policy = file.convert((), Policy, mistakes)
    if policy is None:
        _more_mistakes(file, mistakes)
    else:
        _check(file, policy, mistakes)
    if mistakes or policy is None:
        unique = {(m.line, m.column, m.message): m for m in mistakes}
        raise PolicyError(name, tuple(sorted(unique.values(), key=lambda m: (m.line, m.column))))
    return policy


def load_template(name: str) -> str:
    """Return the text of a policy that ships with the package (one of TEMPLATES)."""
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def json_schema() -> bytes:
    """Return the JSON Schema of a policy file, as it is published in ``policy.schema.json``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Abide policy, language 1"}
    return msgspec.json.format(msgspec.json.encode(schema | msgspec.json.schema(Policy)), indent=1) + b"\n"


def _more_mistakes(file: YamlFile, mistakes: list[Mistake]) -> None:
    """Look into each part by itself, since a conversion as a whole ends at its first mistake."""
    for key, kind in (("calendar", Calendar), ("title", Text)):
        if key in file.data:
            file.convert((key,), kind, mistakes)
    rules = file.data.get("rules")
    for number in range(len(rules) if isinstance(rules, list) else 0):
        file.convert(("rules", number), Rule, mistakes)


def _check(file: YamlFile, policy: Policy, mistakes: list[Mistake]) -> None:
    """Find what types cannot say: names that nothing has, ids used twice, times and dates that do not exist."""
    Schedule.check(policy.calendar, lambda steps, text, advice: mistakes.append(file.mistake(steps, text, advice)))
    if policy.review_by and not _is_date(policy.review_by):
        mistakes.append(file.mistake(("review_by",), _("not a date"), _("Write it as 2027-05-31.")))
    seen: set[str] = set()
    for number, rule in enumerate(policy.rules):
        if rule.id in seen:
            mistakes.append(
                file.mistake(("rules", number, "id"), _("two rules are called “{id}”", id=rule.id), _("Rename one."))
            )
        seen.add(rule.id)
        for steps, names in (
            (("rules", number, "services"), rule.services),
            (("rules", number, "except", "services"), rule.except_.services),
        ):
            mistakes.extend(_unknown_services(file, steps, names))


def _unknown_services(file: YamlFile, steps: tuple[str | int, ...], names: tuple[str, ...]) -> list[Mistake]:
    known = catalogue.load()
    found = []
    for position, name in enumerate(names):
        if not known.select(name):
            kinds = [f"category:{c}" for c in known.categories] if name.startswith("category:") else known.services
            found.append(
                file.mistake(
                    (*steps, position),
                    _("no service or category is called “{name}”", name=name),
                    did_you_mean(name, kinds)
                    or _("Find the id with “abide-policy classify”, or write category:chat, or all."),
                )
            )
    return found


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
