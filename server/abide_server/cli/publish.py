"""``abide-server publish``: a policy file becomes the next signed release."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, Note, act, open_data, open_store, read_file, show
from abide_server.config import DataDir
from abide_server.lock import locked
from abide_server.publish import publish_policy
from abide_server.repository import Repository
from abide_server.signing import Signers

Key = Annotated[
    Path | None, typer.Option("--key", help=_("The publisher's key, when it does not lie in the data directory."))
]


def publish(
    file: Annotated[Path, typer.Argument(help=_("The policy (YAML)."))],
    data: Data = DEFAULT_DATA,
    note: Note = "",
    key: Key = None,
    json: Json = False,
) -> None:
    """Check a policy, sign it as the next release, and wake all agents."""
    folder = open_data(data)
    version = asyncio.run(publish_source(folder, read_file(file), file.name, note, key, action="publish"))
    text = _("Published {file} as release {version}.", file=file.name, version=version)
    show({"version": version}, text, as_json=json)


async def publish_source(folder: DataDir, source: bytes, name: str, note: str, key: Path | None, *, action: str) -> int:
    """Publish a policy text under the lock; return the release version."""
    signers = Signers(folder.keys, {"policy": key} if key is not None else None)
    async with open_store(folder) as store:
        with locked(folder.publish_lock):
            return await publish_policy(store, Repository(folder.tuf, signers), source, name, act(action, name, note))
