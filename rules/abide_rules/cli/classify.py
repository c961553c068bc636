"""``abide-policy classify``: which service is a URL a use of?"""

from __future__ import annotations

import sys

import typer

from abide_rules import catalogue
from abide_rules.cli.output import JsonFlag, show
from abide_rules.i18n import _


def classify(json: JsonFlag = False) -> None:
    """Read URLs or hosts from standard input, one a line, and say which AI service each is a use of."""
    services = catalogue.load()
    for line in sys.stdin:
        url = line.strip()
        if not url:
            continue
        match = services.classify(url)
        if json:
            show({"input": url, "service": match.service, "category": match.category, "vendor": match.vendor})
        elif match.service:
            typer.echo(f"{url}\t{match.service}\t{match.category}")
        elif match.vendor:
            typer.echo(f"{url}\t" + _("no use of AI (a page of {vendor})", vendor=match.vendor))
        else:
            typer.echo(f"{url}\t" + _("no AI service"))
