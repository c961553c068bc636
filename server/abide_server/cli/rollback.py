"""``abide-server rollback``: an earlier release's policy, published again under a new number."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from abide_rules.errors import AbideError
from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, Note, open_data, open_store, show
from abide_server.cli.publish import Key, publish_source
from abide_server.config import DataDir
from abide_server.store.base import Release


def rollback(
    version: Annotated[int, typer.Argument(help=_("The release whose policy is wanted back."))],
    data: Data = DEFAULT_DATA,
    note: Note = "",
    key: Key = None,
    json: Json = False,
) -> None:
    """Publish the policy of an earlier release again; version numbers only ever grow."""
    folder = open_data(data)
    old = asyncio.run(_find(folder, version))
    note = note or f"rollback to release {version}"
    new = asyncio.run(publish_source(folder, old.source.encode(), old.name, note, key, action="rollback"))
    text = _("The policy of release {old} is published again as release {new}.", old=version, new=new)
    show({"version": new, "policy_of": version}, text, as_json=json)


async def _find(folder: DataDir, version: int) -> Release:
    async with open_store(folder) as store:
        release = await store.release(version)
    if release is None:
        raise AbideError(
            _("release {version} was never published", version=version),
            advice=_("abide-server status lists the releases."),
        )
    return release
