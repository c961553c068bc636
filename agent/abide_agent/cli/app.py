"""The commands that people type, put together with typer."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from abide_agent.cli import doctor, enroll, install, listed, status, tray, uninstall
from abide_agent.cli.output import fail
from abide_rules.errors import AbideError
from abide_rules.i18n import _


def create_app() -> typer.Typer:
    """Return the command line with all commands."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=_("The agent on this computer: enforces the policy in its browsers and reports signed events."),
    )
    for module in (enroll, status, doctor, tray, install, uninstall):
        module.register(app)
    listed.register(app)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. A failure is told with what to do next."""
    try:
        create_app()(args=list(arguments), prog_name="abide-agent")
    except AbideError as error:
        return fail(error, "--json" in arguments)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0
    return 0
