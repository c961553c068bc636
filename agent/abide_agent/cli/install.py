"""``abide-agent install``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from abide_agent.browsers.policies import Choices
from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer, config_of, describe, installer_of
from abide_agent.health import announced
from abide_rules.i18n import _

BrowserDirOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help=_("Only for the browser with this user-data directory (Firefox: ~/.mozilla).")),
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Make the browsers of this account, or of all with --system, know the agent; start it."))
    def install(
        browser_dir: BrowserDirOption = None,
        replace: Annotated[
            bool, typer.Option("--replace", help=_("Overwrite files that something else wrote."))
        ] = False,
        allow_private_windows: Annotated[
            bool, typer.Option("--allow-private-windows", help=_("Leave private windows open, though unguarded."))
        ] = False,
        only_system_hosts: Annotated[
            bool, typer.Option("--only-system-hosts", help=_("Switch off the native hosts that accounts installed."))
        ] = False,
        state: StateOption = None,
        system: SystemOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Make browsers know the agent."""
        config = config_of(state, system)
        if (allow_private_windows or only_system_hosts or browser_dir is not None) and system is (
            browser_dir is not None
        ):
            raise typer.BadParameter(_("these options do not go together"))
        is_chosen = allow_private_windows or only_system_hosts
        choices = Choices(allow_private_windows, only_system_hosts) if is_chosen else None
        with announced(config.socket):
            done = installer_of(config).install(browser_dir, replace=replace, choices=choices)
        text = describe(done)
        ok = all(outcome.action != "failed" for outcome in done)
        answer({"ok": ok, "done": msgspec.to_builtins(done)}, text, as_json=as_json)
        if not ok:
            raise typer.Exit(1)
