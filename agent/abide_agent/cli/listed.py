"""``run`` and ``native-host`` as ``abide-agent --help`` lists them; both are started before typer is imported."""

from __future__ import annotations

from typing import Annotated

import typer

from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer
from abide_rules.i18n import _


def register(app: typer.Typer) -> None:
    """Add both commands."""

    @app.command(help=_("Run the agent until it is told to stop; the log goes to standard error."))
    def run(
        verbose: Annotated[bool, typer.Option("--verbose", help=_("Log more."))] = False,
        state: StateOption = None,
        system: SystemOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Run the daemon."""
        from abide_agent.cli.run import main

        given = [
            *(["--verbose"] if verbose else []),
            *(["--json"] if as_json else []),
            *(["--system"] if system else []),
        ]
        raise typer.Exit(main([*given, *(["--state", str(state)] if state else [])]))

    @app.command(
        "native-host",
        help=_("Relay between a browser and the agent. Browsers start this; it speaks native messaging."),
    )
    def native_host(state: StateOption = None, system: SystemOption = False, as_json: JsonOption = False) -> None:
        """Say that browsers start this."""
        answer({"ok": False, "error": "started by browsers"}, "", as_json=True)
        raise typer.Exit(2)
