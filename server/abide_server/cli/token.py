"""``abide-server token``: what a laptop needs to enrol."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, act, open_data, open_store, show
from abide_server.clock import as_text, system_clock
from abide_server.config import DataDir, load_settings
from abide_server.enrolment import Mint, mint
from abide_server.repository import Repository
from abide_server.signing import Signers
from abide_server.tls import CA_FILE

HOUR_MS = 3_600_000


def token(
    data: Data = DEFAULT_DATA,
    group: Annotated[str, typer.Option(help=_("Group of the devices that enrol with it."))] = "",
    uses: Annotated[int, typer.Option(help=_("How many devices may enrol with it."), min=1, max=100_000)] = 1,
    expires: Annotated[int, typer.Option(help=_("Hours until it expires."), min=1, max=8_784)] = 24,
    json: Json = False,
) -> None:
    """Make an enrolment token, and print it with the command to run on the laptop."""
    folder = open_data(data)
    text, until = asyncio.run(_make(folder, group, uses, expires))
    command = f"abide-agent enroll {text}"
    lines = (
        _("Run this on the laptop:"),
        f"  {command}",
        _("It works {uses} time(s), until {until}.", uses=uses, until=as_text(until)),
    )
    show({"token": text, "command": command, "expires": until, "uses": uses}, "\n".join(lines), as_json=json)


async def _make(folder: DataDir, group: str, uses: int, hours: int) -> tuple[str, int]:
    now = system_clock()
    repository = Repository(folder.tuf, Signers(folder.keys))
    settings = load_settings(folder)
    version = repository.root_version()
    ca = (folder.tls / CA_FILE).read_text() if settings.private_ca else ""
    text, row = mint(Mint(settings.url, repository.root(version), version, ca), group, uses, now, now + hours * HOUR_MS)
    async with open_store(folder) as store:
        await store.add_token(row, act("token", row.token, f"group {group!r}, {uses} use(s)"))
    return text, row.expires
