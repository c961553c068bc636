"""``abide-agent install``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from abide_agent import platform
from abide_agent.cli.output import JsonOption, StateOption, answer, config_of, describe
from abide_agent.install import Installer
from abide_rules.i18n import _

BrowserDirOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help=_("Only for the Chromium-like browser with this user-data directory.")),
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Make this user's browsers know the agent and start it at login."))
    def install(
        browser_dir: BrowserDirOption = None,
        replace: Annotated[
            bool, typer.Option("--replace", help=_("Overwrite files that something else wrote."))
        ] = False,
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make this user's browsers know the agent."""
        done = Installer(config_of(state), platform.current()).install(browser_dir, replace=replace)
        text = describe(done)
        ok = all(outcome.action != "failed" for outcome in done)
        answer({"ok": ok, "done": msgspec.to_builtins(done)}, text, as_json=as_json)
        if not ok:
            raise typer.Exit(1)
