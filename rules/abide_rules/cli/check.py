"""``abide-policy check``: is a policy file right, and what does it do?"""

from __future__ import annotations

import msgspec
import typer

from abide_rules.cli.output import NO, JsonFlag, PolicyFile, read_policy, show
from abide_rules.engine import Engine
from abide_rules.errors import PolicyError
from abide_rules.i18n import _


def check(file: PolicyFile, json: JsonFlag = False) -> None:
    """Check a policy file: every mistake with its line, or what the policy covers."""
    try:
        policy = read_policy(file)
    except PolicyError as error:
        if json:
            show({"ok": False, "mistakes": [msgspec.to_builtins(mistake) for mistake in error.mistakes]})
        else:
            for mistake in error.mistakes:
                typer.echo(f"{file}:{mistake}")
            typer.echo(_("Mistakes: {count}. Nothing was published.", count=len(error.mistakes)), err=True)
        raise SystemExit(NO) from None
    engine = Engine(policy)
    covered = {rule.id: len(engine.services_of(rule)) for rule in policy.rules}
    if json:
        show({"ok": True, "id": policy.id, "rules": covered, "warnings": []})
        return
    typer.echo(_("{path} is right: policy “{id}”, rules: {count}.", path=file, id=policy.id, count=len(policy.rules)))
    for rule in policy.rules:
        line = _("  {rule} ({clause}): {verdict}, {time}, services: {count}")
        typer.echo(
            line.format(rule=rule.id, clause=rule.clause, verdict=rule.verdict, time=rule.time, count=covered[rule.id])
        )
