"""``abide-policy new``: begin a policy from a template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from abide_rules.cli.output import JsonFlag, show
from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_rules.policy_file import TEMPLATES, load_template
from abide_rules.yamlfile import did_you_mean


def new(
    template: Annotated[str, typer.Argument(help=", ".join(TEMPLATES), show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help=_("The file to write."), show_default=False)],
    force: Annotated[bool, typer.Option(help=_("Replace the file if it is there."))] = False,
    json: JsonFlag = False,
) -> None:
    """Begin a policy from a template."""
    if template not in TEMPLATES:
        raise ConfigurationError(
            _("no template is called “{name}”", name=template), advice=did_you_mean(template, TEMPLATES)
        )
    text = load_template(template)
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigurationError(
            _("{path} is there already", path=output), advice=_("Choose another name, or add --force.")
        ) from error
    except OSError as error:
        raise ConfigurationError(
            _("cannot write {path}: {reason}", path=output, reason=error.strerror or error),
            advice=_("Choose a folder that exists and that you may write to."),
        ) from error
    if json:
        show({"file": str(output), "template": template})
    else:
        typer.echo(_("Wrote {path}. Adapt its calendar and texts, then: abide-policy check {path}", path=output))
