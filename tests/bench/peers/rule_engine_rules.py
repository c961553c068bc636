"""Runs in the virtualenv of rule-engine: how many cases a second it decides by the same rules."""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import rule_engine


def condition(rule: dict[str, Any]) -> str:
    """Return our rule in their language; sets of services are given as values, as a program would do it."""
    parts = [f'("{rule["id"]}" in services)']
    if rule.get("time", "always") != "always":
        parts.append(f'(period == "{rule["time"]}")')
    if rule.get("purposes"):
        parts.append("(" + " or ".join(f'purpose == "{p}"' for p in rule["purposes"]) + ")")
    if rule.get("groups"):
        parts.append("(" + " or ".join(f'"{g}" in groups' for g in rule["groups"]) + ")")
    parts += [f'(not ("{g}" in groups))' for g in rule.get("except", {}).get("groups", ())]
    return " and ".join(parts)


given = json.loads(Path(sys.argv[1]).read_text())
rules = [(rule["id"], rule_engine.Rule(condition(rule))) for rule in given["rules"]]
concerned: dict[str, set[str]] = {}
for rule in given["rules"]:
    for service in rule["services"]:
        concerned.setdefault(service, set()).add(rule["id"])


def decide(case: dict[str, Any]) -> str:
    facts = {**case, "groups": set(case["groups"]), "services": concerned.get(case["service"], set())}
    return next((name for name, rule in rules if rule.matches(facts)), "")


rates: list[float] = []
decided: list[str] = []
for _ in range(given["repeats"]):
    begin = time.perf_counter()
    decided = [decide(case) for case in given["cases"]]
    rates.append(len(decided) / (time.perf_counter() - begin))
print(json.dumps({"rate": statistics.median(rates), "rules": decided}))
