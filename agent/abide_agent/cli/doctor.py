"""``abide-agent doctor``."""

from __future__ import annotations

import msgspec
import typer

from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer, config_in_use
from abide_agent.doctor import Check, examine
from abide_agent.health import ask_daemon
from abide_rules.i18n import _

NAMES = {
    "enrolled": _("enrolled"),
    "server": _("server"),
    "clock": _("clock"),
    "agent runs": _("agent runs"),
    "sync": _("syncing"),
    "block": _("blocking"),
    "record": _("recording"),
    "disk": _("disk"),
    "native host": _("native host"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Check everything from enrolment to browser and say what to do next; exit 0 if all is well."))
    def doctor(state: StateOption = None, system: SystemOption = False, as_json: JsonOption = False) -> None:
        """Check everything and say what to do next."""
        config = config_in_use(state, system)
        checks = examine(config, ask_daemon(config.socket))
        ok = all(check.ok for check in checks)
        text = "\n".join(_line(check) for check in checks)
        answer({"ok": ok, "checks": msgspec.to_builtins(checks)}, text, as_json=as_json)
        if not ok:
            raise typer.Exit(1)


def _line(check: Check) -> str:
    mark = _("ok") if check.ok else _("NOT OK")
    line = f"{mark:8}{NAMES.get(check.name, check.name)}" + (f": {check.why}" if check.why else "")
    return f"{line}\n        → {check.next_step}" if check.next_step else line
