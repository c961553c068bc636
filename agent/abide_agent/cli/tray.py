"""``abide-agent tray``."""

from __future__ import annotations

from typing import Annotated

import typer

from abide_agent.cli.output import JsonOption, StateOption, answer, config_of
from abide_rules.i18n import _


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        help=_("Show an icon in the desktop's tray: guarded or not, and why. Ends at once where there is none.")
    )
    def tray(
        wait: Annotated[
            int, typer.Option(metavar="SECONDS", help=_("How long to wait for the tray, after a log-in."))
        ] = 0,
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show an icon in the desktop's tray."""
        config = config_of(state)
        try:
            from abide_agent.tray import NoTrayError, Tray, load_pystray
        except ImportError as error:
            raise SystemExit(_none(str(error), as_json)) from error
        try:
            pystray = load_pystray(wait)
        except NoTrayError as error:
            raise SystemExit(_none(str(error), as_json)) from error
        Tray(config, pystray, (_("What is recorded about me"), _("Quit"))).run()


def _none(why: str, as_json: bool) -> int:
    text = _("There is no tray here; the agent does not need one. ({why})", why=why)
    answer({"ok": True, "tray": False, "why": why}, text, as_json=as_json)
    return 0
