"""``abide-agent status``."""

from __future__ import annotations

import msgspec
import typer

from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer, config_in_use
from abide_agent.health import Snapshot, ask_daemon
from abide_agent.identity import load_identity
from abide_rules.i18n import _
from abide_rules.wire import BrowserCoverage


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Say what is in force here and why; exit 0 if the agent runs, connected and up to date."))
    def status(state: StateOption = None, system: SystemOption = False, as_json: JsonOption = False) -> None:
        """Say what is in force here and why."""
        config = config_in_use(state, system)
        snapshot = ask_daemon(config.socket)
        if snapshot is None:
            identity = load_identity(config)
            answer(
                {"ok": False, "running": False, "device": identity.device, "server": identity.server},
                _("The agent does not run. Browsers keep the last plan. Start it: abide-agent run"),
                as_json=as_json,
            )
            raise typer.Exit(1)
        ok = snapshot.connected and not snapshot.stale
        details: dict[str, object] = msgspec.to_builtins(snapshot)
        answer({"ok": ok, "running": True, **details}, _text(snapshot), as_json=as_json)
        if not ok:
            raise typer.Exit(1)


def _text(s: Snapshot) -> str:
    version = _("version {version}", version=s.policy_version) if s.policy_version else _("none")
    stale = _("STALE: {why}", why=s.stale)
    lines = [
        (_("Device"), s.device),
        (_("Server"), s.server + ("" if s.connected else f" ({s.connection_problem})")),
        (_("Policy"), version + (f" ({stale})" if s.stale else "")),
        (_("Events that wait"), f"{s.spooled}" + (f" ({s.uplink_problem})" if s.uplink_problem else "")),
        *((_("Browser"), _browser(b)) for b in s.browsers),
    ]
    problems = [p for p in (s.policy_problem, s.people_problem, s.plan_problem) if p]
    return "\n".join([f"{name}: {value}" for name, value in lines] + problems)


def _browser(b: BrowserCoverage) -> str:
    how = _("installed by browser policy") if b.forced else _("can be removed by the person")
    return f"{b.browser} {b.browser_version}: {b.policy_version} ({how})"
