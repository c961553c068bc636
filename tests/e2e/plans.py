"""Plans for the browser tests: the real compiler on a small policy."""

from __future__ import annotations

import time

from abide_rules.people import Person
from abide_rules.plan import Plan, compile_plan
from abide_rules.policy import Release
from abide_rules.policy_file import parse_policy

POLICY = """
language: 1
id: browser-tests
title: {{en: Use of generative AI, zh: 生成式人工智能使用规定}}
calendar: {{zone: UTC, hours: {{mon-sun: ["{hours}"]}}}}
rules:
  - id: the-rule
    clause: BUS-1
    verdict: {verdict}
    time: {time}
    record: true
    continue_minutes: 15
    reason: {{en: "What you enter leaves the company.", zh: "您输入的内容会离开公司。"}}
    instead: {{en: "Use the tools your company provides.", zh: "请使用公司提供的工具。"}}
"""


def plan(version: int, verdict: str) -> Plan:
    """Return version ``version`` of a policy that has this verdict on every service at all times."""
    return _compiled(version, int(time.time() * 1000), verdict=verdict, hours="00:00-24:00", time="always")


def morning_plan(now_ms: int) -> Plan:
    """Return a plan that blocks every service until noon (UTC), and nothing afterwards."""
    return _compiled(1, now_ms, verdict="block", hours="00:00-12:00", time="working")


def _compiled(version: int, now_ms: int, **values: str) -> Plan:
    policy = parse_policy(POLICY.format(**values), "browser-tests")
    return compile_plan(Release(version, policy), Person("person-1", (), "UTC"), now_ms)
