"""``abide-agent uninstall``."""

from __future__ import annotations

import msgspec
import typer

from abide_agent.cli.install import BrowserDirOption
from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer, config_of, describe, installer_of
from abide_agent.health import announced
from abide_rules.i18n import _


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Remove what install wrote, except what was changed by hand; keeps the state directory."))
    def uninstall(
        browser_dir: BrowserDirOption = None,
        state: StateOption = None,
        system: SystemOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Remove what install wrote."""
        config = config_of(state, system)
        with announced(config.socket):
            done = installer_of(config).uninstall(browser_dir)
        text = describe(done) or _("Nothing is installed.")
        answer({"ok": True, "done": msgspec.to_builtins(done)}, text, as_json=as_json)
