"""What the tray shows, worked out from the daemon's snapshot. Pure: no display, no I/O, no Pillow."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from abide_agent.health import NoAnswer, Snapshot
from abide_rules.i18n import _
from abide_rules.problems import Problem, advise, answers

State = Literal["guarded", "stale", "unguarded"]
STATES: tuple[State, ...] = ("guarded", "stale", "unguarded")


class View(msgspec.Struct, frozen=True):
    """The icon's state, what hovering over it says, the menu's lines, and the server's page (empty: not known)."""

    state: State
    title: str
    lines: tuple[str, ...]
    page: str = ""


def view(answer: Snapshot | NoAnswer) -> View:
    """Return what to show. Without a daemon nothing is known to be guarded."""
    if isinstance(answer, NoAnswer):
        problem = Problem(answer.code)
        return View(
            "unguarded", f"Abide: {_state_text('unguarded')}", (_state_text("unguarded"), *_problem_lines(problem))
        )
    state = state_of(answer)
    title = f"Abide: {_state_text(state)}, {_period(answer)}" if answer.period else f"Abide: {_state_text(state)}"
    return View(state, title, tuple(_lines(answer, state)), answer.server)


def state_of(now: Snapshot) -> State:
    """Return whether browsers are guarded, and if so, whether by what may not be the newest policy."""
    no = answers(now.problems)
    if no["block"]:
        return "unguarded"
    return "stale" if no["sync"] or now.stale else "guarded"


def _lines(now: Snapshot, state: State) -> list[str]:
    lines = [_state_text(state)]
    if now.period:
        lines.append(_period(now))
    lines += [
        _("{browser} enforces version {version}", browser=f"{b.browser} {b.browser_version}", version=b.policy_version)
        for b in now.browsers
    ]
    if now.policy_version:
        lines.append(_("Policy version {version}", version=now.policy_version))
    if now.last is not None:
        lines.append(f"{_clock(now.last.at_ms)}  {now.last.service}: {_verdict(now.last.verdict)}")
    if now.spooled:
        lines.append(_("{count} events wait for the server", count=now.spooled))
    return lines + (_problem_lines(now.problems[0]) if now.problems else [])


def _state_text(state: State) -> str:
    match state:
        case "guarded":
            return _("guarded")
        case "stale":
            return _("guarded, perhaps not by the newest policy")
        case "unguarded":
            return _("not guarded")


def _period(now: Snapshot) -> str:
    name = _("working time") if now.period == "working" else _("free time")
    return _("{period} until {time}", period=name, time=_clock(now.period_until_ms)) if now.period_until_ms else name


def _problem_lines(problem: Problem) -> list[str]:
    advice = advise(problem.code)
    return [f"! {advice.what}", f"→ {advice.step}"]


def _verdict(verdict: str) -> str:
    names = {
        "allow": _("allowed"),
        "count": _("counted"),
        "inform": _("notice"),
        "warn": _("warning"),
        "justify": _("warning"),
        "block": _("blocked"),
    }
    return names.get(verdict, verdict)


def _clock(at_ms: int) -> str:
    """Return a time within the next or last days as this computer's clock shows it."""
    return datetime.datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%m-%d %H:%M")
