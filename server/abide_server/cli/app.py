"""Puts the commands together, and turns errors into messages with advice."""

from __future__ import annotations

import sys

import typer

from abide_rules.errors import AbideError
from abide_server.cli import devices, export, init, people, publish, rollback, serve, status, token
from abide_server.cli.common import print_error

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Publish a policy to the laptops, and see where it is in force.",
)
app.command()(init.init)
app.command()(serve.serve)
app.command()(token.token)
app.command()(publish.publish)
app.command()(rollback.rollback)
app.command()(people.people)
app.add_typer(devices.app, name="devices")
app.command()(export.export)
app.command()(status.status)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except AbideError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(1)
