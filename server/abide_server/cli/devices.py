"""``abide-server devices``: list them, revoke one."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from abide_rules.errors import AbideError
from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, Note, act, open_data, open_store, show
from abide_server.cli.listing import describe_devices, list_devices
from abide_server.config import DataDir

app = typer.Typer(name="devices", help=_("List the enrolled devices, or revoke one."), invoke_without_command=True)


@app.callback()
def devices(context: typer.Context, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the enrolled devices, and which release is in force on each browser."""
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(_list(open_data(data)))
    show({"devices": found}, describe_devices(found), as_json=json)


@app.command(help=_("Revoke a device: its events, streams and requests are refused from now on."))
def revoke(
    device: Annotated[str, typer.Argument(help=_("The device's id, e.g. dev-0123456789abcdef0123."))],
    data: Data = DEFAULT_DATA,
    note: Note = "",
    json: Json = False,
) -> None:
    """Revoke a device: its events, streams and requests are refused from now on."""
    if not asyncio.run(_revoke(open_data(data), device, note)):
        raise AbideError(
            _("{device} is not enrolled, or was revoked before", device=device),
            advice=_("abide-server devices lists them."),
        )
    show({"revoked": device}, _("{device} is revoked.", device=device), as_json=json)


async def _list(folder: DataDir) -> list[dict[str, object]]:
    async with open_store(folder) as store:
        return await list_devices(store)


async def _revoke(folder: DataDir, device: str, note: str) -> bool:
    async with open_store(folder) as store:
        return await store.revoke(device, act("revoke", device, note))
