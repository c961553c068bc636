"""Puts the commands together, and turns errors into messages with advice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from abide_rules.errors import AbideError
from abide_rules.i18n import _
from abide_server.cli import devices, export, init, people, publish, rollback, serve, status, token
from abide_server.cli.common import print_error

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help=_("Publish a policy to the laptops, and see where it is in force."),
)
COMMANDS: dict[Callable[..., Any], str] = {
    init.init: _("Set up a new server in an empty data directory."),
    serve.serve: _("Serve agents and the web page; prints one line with the address when it listens."),
    token.token: _("Make an enrolment token, and print it with the command to run on the laptop."),
    publish.publish: _("Check a policy, sign it as the next release, and wake all agents."),
    rollback.rollback: _("Publish the policy of an earlier release again; version numbers only ever grow."),
    people.people: _("Check a people file, sign it, and wake all agents."),
    export.export: _("Write all devices, batches and receipts; check the file with: abide-policy verify FILE."),
    status.status: _("Show releases, keys, expiry dates, devices and which release is in force on each."),
}
for command, text in COMMANDS.items():
    app.command(help=text)(command)
app.add_typer(devices.app, name="devices")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except AbideError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(1)
