"""``abide-server people``: who is who, for the agents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, Note, act, open_data, open_store, read_file, show
from abide_server.config import DataDir
from abide_server.lock import locked
from abide_server.publish import publish_people
from abide_server.repository import Repository
from abide_server.signing import Signers


def people(
    file: Annotated[Path, typer.Argument(help=_("The people (YAML or CSV)."))],
    data: Data = DEFAULT_DATA,
    note: Note = "",
    json: Json = False,
) -> None:
    """Check a people file, sign it, and wake all agents."""
    folder = open_data(data)
    size = asyncio.run(_publish(folder, file, note))
    show({"bytes": size}, _("Published {file}.", file=file.name), as_json=json)


async def _publish(folder: DataDir, file: Path, note: str) -> int:
    repository = Repository(folder.tuf, Signers(folder.keys))
    async with open_store(folder) as store:
        with locked(folder.publish_lock):
            return await publish_people(store, repository, read_file(file), file.name, act("people", file.name, note))
