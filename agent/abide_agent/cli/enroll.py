"""``abide-agent enroll TOKEN``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from abide_agent.cli.output import (
    JsonOption,
    StateOption,
    SystemOption,
    answer,
    config_of,
    installer_of,
    is_for_all_accounts,
)
from abide_agent.health import announced
from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Make this device known to a server, with a token from your administrator."))
    def enroll(
        token: Annotated[str, typer.Argument(help=_("The token; - reads it from standard input."))] = "",
        token_file: Annotated[Path | None, typer.Option(help=_("Read the token from a file."))] = None,
        again: Annotated[bool, typer.Option("--again", help=_("Enrol with the same server once more."))] = False,
        state: StateOption = None,
        system: SystemOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Make this device known to a server."""
        from abide_agent.enrolment import enrol, parse_token

        if bool(token) == (token_file is not None):
            raise typer.BadParameter(_("give either a token or --token-file"))
        config = config_of(state, system or (state is None and is_for_all_accounts()))
        given = parse_token(_read(token, token_file))
        with announced(config.socket):
            identity = asyncio.run(enrol(config, given, again=again))
            if config.system and (installer := installer_of(config)).is_installed:
                installer.install(None, replace=False)  # The policies name the server.
        answer(
            {"ok": True, "device": identity.device, "server": identity.server, "group": identity.group},
            _("Enrolled as {device} with {server}.", device=identity.device, server=identity.server),
            as_json=as_json,
        )


def _read(token: str, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(_("{path} cannot be used: {why}", path=file, why=error)) from error
    return sys.stdin.read() if token == "-" else token  # noqa: S105 (a dash, no secret)
