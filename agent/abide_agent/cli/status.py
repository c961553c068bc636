"""``abide-agent status``."""

from __future__ import annotations

import msgspec
import typer

from abide_agent.cli.output import JsonOption, StateOption, SystemOption, answer, config_in_use
from abide_agent.cli.wording import clock_text, describe_problems, three_answers
from abide_agent.doctor import problems_here
from abide_agent.guarded import describe
from abide_agent.health import Snapshot, ask_daemon
from abide_agent.integrity import Tampering
from abide_rules.i18n import _
from abide_rules.problems import answers
from abide_rules.wire import BrowserCoverage


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_("Say whether it syncs, blocks and records here, and why not; exit 0 if it does all three."))
    def status(state: StateOption = None, system: SystemOption = False, as_json: JsonOption = False) -> None:
        """Say whether it syncs, blocks and records here, and why not."""
        config = config_in_use(state, system)
        snapshot = ask_daemon(config.socket)
        problems = problems_here(config, snapshot)
        no = {question: [problem.code for problem in found] for question, found in answers(problems).items()}
        ok = not any(no.values())
        details: dict[str, object] = msgspec.to_builtins(snapshot) if isinstance(snapshot, Snapshot) else {}
        given = {"ok": ok, "running": isinstance(snapshot, Snapshot), "no": no, **details}
        text = [three_answers(problems), describe_problems(problems)]
        text += [_details(snapshot)] if isinstance(snapshot, Snapshot) else []
        answer(
            {**given, "problems": msgspec.to_builtins(problems)},
            "\n\n".join(part for part in text if part),
            as_json=as_json,
        )
        if not ok:
            raise typer.Exit(1)


def _details(s: Snapshot) -> str:
    periods = {"working": _("working time"), "free": _("free time"), "": "–"}
    until = _("until {time}", time=clock_text(s.period_until_ms)) if s.period_until_ms else ""
    connection = _("connected") if s.connected else _("not connected")
    stale = _("STALE: {why}", why=s.stale)
    version = _("version {version}", version=s.policy_version) if s.policy_version else _("none")
    lines = [
        (_("Device"), s.device),
        (_("Server"), f"{s.server} ({connection})"),
        (_("Policy"), f"{version} ({stale})" if s.stale else version),
        (_("Now"), f"{periods[s.period]} {until}".strip()),
        *((_("Browser"), _browser(b)) for b in s.browsers),
        (_("Events that wait"), str(s.spooled)),
        *((_("Changed and restored"), _tampering(t)) for t in s.tampered),
    ]
    if s.last is not None:
        lines.append((_("Last verdict"), f"{s.last.service}: {s.last.verdict}, {clock_text(s.last.at_ms)}"))
    return "\n".join(f"{name}: {value}" for name, value in lines)


def _browser(b: BrowserCoverage) -> str:
    how = _("installed by browser policy") if b.forced else _("can be removed by the person")
    name = f"{b.browser} {b.browser_version}"
    return _("{browser} enforces version {version}", browser=name, version=b.policy_version) + f" ({how})"


def _tampering(t: Tampering) -> str:
    return _("{what}, {count} times, last {time}", what=describe(t.what), count=t.count, time=clock_text(t.at))
