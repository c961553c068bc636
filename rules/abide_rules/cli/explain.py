"""``abide-policy explain``: what would happen, and why."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
import typer

from abide_rules import catalogue
from abide_rules.cli.output import JsonFlag, PolicyFile, read_policy, show
from abide_rules.engine import Engine, Observation, Verdict
from abide_rules.errors import ConfigurationError
from abide_rules.events import Purpose
from abide_rules.i18n import _, language
from abide_rules.people import Person
from abide_rules.yamlfile import did_you_mean

PURPOSES: tuple[Purpose, ...] = ("business", "personal", "undeclared")


def explain(
    file: PolicyFile,
    at: Annotated[str, typer.Option(help=_("When: ISO 8601; without an offset in the policy's zone."))],
    visit: Annotated[str, typer.Option(help=_("The URL that is visited."))],
    person: Annotated[str, typer.Option(help=_("The person's id."))] = "",
    groups: Annotated[str, typer.Option(help=_("The person's groups, separated by commas."))] = "",
    purpose: Annotated[str, typer.Option(help=", ".join(PURPOSES))] = "undeclared",
    json: JsonFlag = False,
) -> None:
    """Say what a policy does when somebody visits a URL at a time, and why."""
    engine = Engine(read_policy(file))
    now = _instant(at, engine)
    who = Person(person, tuple(name for name in groups.split(",") if name))
    match = catalogue.load().classify(visit)
    verdict = (
        engine.decide(who, Observation(match.service, purpose=_purpose(purpose)), now)
        if match.service
        else Verdict("allow", engine.schedule("").period(int(now.timestamp() * 1000)))
    )
    if json:
        show(answer(verdict))
        return
    if match.service is None:
        typer.echo(_("{url} is no use of an AI service.", url=visit))
    lang = language()
    typer.echo(_("Verdict: {verdict}", verdict=verdict.verdict))
    if verdict.rule:
        typer.echo(_("Rule: {rule} (clause {clause})", rule=verdict.rule, clause=verdict.clause))
        typer.echo(_("Why: {reason}", reason=getattr(verdict.reason, lang)))
        typer.echo(_("Instead: {instead}", instead=getattr(verdict.instead, lang)))
    if verdict.until:
        typer.echo(_("Until: {time}", time=verdict.until.isoformat(timespec="minutes")))


def answer(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as it is printed in JSON (stable names)."""
    return {
        "verdict": verdict.verdict,
        "rule": verdict.rule or None,
        "clause": verdict.clause or None,
        "class": verdict.use_class,
        "period": verdict.period,
        "reason": {"en": verdict.reason.en, "zh": verdict.reason.zh},
        "until": verdict.until.isoformat() if verdict.until else None,
        "instead": {"en": verdict.instead.en, "zh": verdict.instead.zh},
        "evidence": [msgspec.to_builtins(item) for item in verdict.evidence],
    }


def _purpose(text: str) -> Purpose:
    for purpose in PURPOSES:
        if text == purpose:
            return purpose
    raise ConfigurationError(_("no purpose is called “{name}”", name=text), advice=did_you_mean(text, PURPOSES))


def _instant(text: str, engine: Engine) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        advice = _("Write it as 2026-11-23T10:00+01:00.")
        raise ConfigurationError(_("“{text}” is no time", text=text), advice=advice) from error
    zone = engine.schedule("").zone_info
    return instant.replace(tzinfo=zone) if instant.tzinfo is None else instant.astimezone(zone)
