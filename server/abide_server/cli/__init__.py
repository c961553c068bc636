"""``abide-server``: one file per command. Exit codes: 0 ok, 1 the answer is no, 2 usage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from abide_rules.cli.output import run
from abide_rules.i18n import _
from abide_server.cli import devices, export, extension, init, people, publish, rollback, serve, status, token


def main() -> None:
    """Run the command line."""
    commands: dict[Callable[..., Any], str] = {
        init.init: _("Set up a new server in an empty data directory."),
        serve.serve: _("Serve agents and the web page; prints one line with the address when it listens."),
        token.token: _("Make an enrolment token, and print it with the command to run on the laptop."),
        publish.publish: _("Check a policy, sign it as the next release, and wake all agents."),
        rollback.rollback: _("Publish the policy of an earlier release again; version numbers only ever grow."),
        people.people: _("Check a people file, sign it, and wake all agents."),
        extension.extension: _("Publish the packed browser extension, and print the policies that install it."),
        export.export: _("Write all devices, batches and receipts; check the file with: abide-policy verify FILE."),
        status.status: _("Show releases, keys, expiry dates, devices and which release is in force on each."),
    }
    run("abide-server", _("Publish a policy to the laptops, and see where it is in force."), commands, devices.app)
