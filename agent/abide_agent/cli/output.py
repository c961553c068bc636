"""How commands speak: text for people, one JSON object for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from abide_agent.config import Config, state_dir
from abide_agent.install import Outcome
from abide_rules.errors import AbideError
from abide_rules.i18n import _

StateOption = Annotated[Path | None, typer.Option("--state", metavar="DIR", help=_("Where the agent keeps its state."))]
JsonOption = Annotated[bool, typer.Option("--json", help=_("Answer with one JSON object."))]


def config_of(state: Path | None) -> Config:
    """Return the configuration for ``--state``."""
    return Config(state_dir(state))


def answer(value: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print the answer of a command."""
    print(msgspec.json.encode(value).decode() if as_json else text)


def describe(done: Iterable[Outcome]) -> str:
    """Return what was done to which path, one a line."""
    actions = {
        "written": _("written"),
        "removed": _("removed"),
        "kept": _("kept"),
        "missing": _("missing"),
        "ran": _("ran"),
        "failed": _("failed"),
    }
    return "\n".join(f"{actions.get(outcome.action, outcome.action)}: {outcome.path}" for outcome in done)


def fail(error: AbideError, as_json: bool) -> int:
    """Tell an error and what to do next; return exit code 1."""
    if as_json:
        print(msgspec.json.encode({"ok": False, "error": str(error), "advice": error.advice}).decode())
        return 1
    print(_("Error: {why}", why=error), file=sys.stderr)
    if error.advice:
        print(error.advice, file=sys.stderr)
    return 1
