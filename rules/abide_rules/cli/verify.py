"""``abide-policy verify``: prove an export offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from abide_rules.cli.output import JsonFlag, show
from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_rules.verify import verify_export


def verify(
    export: Annotated[Path, typer.Argument(help=_("A file made by “abide-server export”."), show_default=False)],
    receipt_key: Annotated[
        str, typer.Option(help=_("The server's receipt key (base64), known from elsewhere; else the export's own."))
    ] = "",
    json: JsonFlag = False,
) -> None:
    """Prove an export offline: signatures, chains without gaps, and the server's receipts."""
    try:
        with export.open("rb") as lines:
            report = verify_export(lines, receipt_key)
    except OSError as error:
        raise ConfigurationError(
            _("cannot read {path}: {reason}", path=export, reason=error.strerror or error),
            advice=_("Give the path of a file you may read."),
        ) from error
    if json:
        show({"ok": True, "devices": report.devices, "batches": report.batches, "events": report.events})
        return
    typer.echo(
        _(
            "Proven: events {events}, batches {batches}, devices {devices}; no event is missing or changed.",
            **report.counts,
        )
    )
    if not receipt_key:
        typer.echo(
            _(
                "The receipt key came from the export itself; compare it with the one your server shows: {key}",
                key=report.receipt_key,
            )
        )
