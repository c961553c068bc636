"""How commands speak: text for people, one JSON object for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from abide_agent import platform
from abide_agent.config import Config, state_dir, system_config
from abide_agent.install import Installer, Outcome
from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.i18n import _

StateOption = Annotated[Path | None, typer.Option("--state", metavar="DIR", help=_("Where the agent keeps its state."))]
SystemOption = Annotated[
    bool, typer.Option("--system", help=_("The one agent for all accounts of this computer, run by root."))
]
JsonOption = Annotated[bool, typer.Option("--json", help=_("Answer with one JSON object."))]


def config_of(state: Path | None, system: bool = False) -> Config:
    """Return the configuration for ``--state`` or ``--system``. Raises BadParameter for both."""
    if state is not None and system:
        raise typer.BadParameter(_("give either --state or --system"))
    return system_config() if system else Config(state_dir(state))


def config_in_use(state: Path | None, system: bool) -> Config:
    """Return the configuration of the agent that serves this account: with neither option also the system's, by itself."""
    own = config_of(state, system)
    chosen = state is not None or system or bool(os.environ.get("ABIDE_STATE"))
    return own if chosen or own.identity.exists() or not system_config().socket.exists() else system_config()


def is_for_all_accounts() -> bool:
    """Say whether root, who asks, has an agent installed for all accounts: then that one is meant."""
    return platform.user_id() == 0 and not os.environ.get("ABIDE_STATE") and system_config().wrapper.exists()


def installer_of(config: Config) -> Installer:
    """Return what installs for this account, or for all. Raises ConfigurationError without the right to."""
    if config.system and platform.user_id() != 0:
        raise ConfigurationError(
            _("only an administrator may change what holds for all accounts"), advice=_("Run it as root (sudo).")
        )
    return Installer(config, platform.system() if config.system else platform.current())


def answer(value: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print the answer of a command."""
    print(msgspec.json.encode(value).decode() if as_json else text)


def describe(done: Sequence[Outcome]) -> str:
    """Return what was done to which path, one a line."""
    actions = {
        "written": _("written"),
        "removed": _("removed"),
        "kept": _("kept"),
        "missing": _("missing"),
        "ran": _("ran"),
        "failed": _("failed"),
        "theirs": _("LEFT AS IT IS"),
    }
    lines = (f"{actions.get(outcome.action, outcome.action)}: {outcome.path}" for outcome in done)
    return "\n".join(f"{line}\n{o.advice}" if o.advice else line for line, o in zip(lines, done, strict=True))


def fail(error: AbideError, as_json: bool) -> int:
    """Tell an error and what to do next; return exit code 1."""
    if as_json:
        print(msgspec.json.encode({"ok": False, "error": str(error), "advice": error.advice}).decode())
        return 1
    print(_("Error: {why}", why=error), file=sys.stderr)
    if error.advice:
        print(error.advice, file=sys.stderr)
    return 1
