"""The three answers and the problems behind them, in words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from abide_rules.i18n import _
from abide_rules.problems import Problem, Question, advise, answers


def question_names() -> dict[Question, str]:
    """Return what each question is called."""
    return {"sync": _("Syncing"), "block": _("Blocking"), "record": _("Recording")}


def three_answers(problems: tuple[Problem, ...]) -> str:
    """Return one line: is it syncing, blocking, recording; and if not, why."""
    names = question_names()
    return "  ".join(_answer(names[question], found) for question, found in answers(problems).items())


def describe_problems(problems: Sequence[Problem]) -> str:
    """Return each problem with what is known about it and what to do next."""
    return "\n".join(_describe(problem) for problem in problems)


def clock_text(at_ms: int) -> str:
    """Return a time as this computer's clock shows it."""
    return datetime.datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _answer(name: str, found: Sequence[Problem]) -> str:
    if not found:
        return _("{question}: yes.", question=name)
    return _("{question}: no. {why}", question=name, why=advise(found[0].code).what)


def _describe(problem: Problem) -> str:
    advice = advise(problem.code)
    facts = [
        *([_("since {time}", time=clock_text(problem.since_ms))] if problem.since_ms else []),
        *([_("tried {count} times", count=problem.times)] if problem.times else []),
        *([_("next try at {time}", time=clock_text(problem.retry_ms))] if problem.retry_ms else []),
    ]
    lines = [f"! {advice.what} [{problem.code}]", *([", ".join(facts)] if facts else [])]
    lines += [problem.detail] if problem.detail else []
    return "\n    ".join([*lines, f"→ {advice.step}"])
