"""``abide-server export``: everything that was recorded, in a file that proves itself offline."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import IO, Annotated

import typer

from abide_rules import envelope as dsse
from abide_rules.export import BatchLine, DeviceLine, ExportLine, ServerLine, encode
from abide_rules.i18n import _
from abide_server import ingest
from abide_server.cli.common import DEFAULT_DATA, Data, Json, act, open_data, open_store, show
from abide_server.clock import system_clock
from abide_server.config import DataDir
from abide_server.keys import load_key
from abide_server.store.base import Standing, Store


def export(
    output: Annotated[Path, typer.Option("-o", "--output", help=_("The file to write (NDJSON)."))],
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Write all devices, batches and receipts; check the file with: abide-policy verify FILE."""
    folder = open_data(data)
    devices, batches = asyncio.run(_export(folder, output))
    text = _("{devices} devices and {batches} batches are in {file}.", devices=devices, batches=batches, file=output)
    show({"file": str(output), "devices": devices, "batches": batches}, text, as_json=json)


async def _export(folder: DataDir, output: Path) -> tuple[int, int]:
    temporary = output.with_name(f".{output.name}.new")
    async with open_store(folder) as store:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            counts = await _write(folder, store, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
        await store.record(act("export", output.name))
    return counts


async def _write(folder: DataDir, store: Store, file: IO[bytes]) -> tuple[int, int]:
    key = load_key(folder.receipt_key)
    file.write(encode(ExportLine(1, system_clock())))
    file.write(encode(ServerLine(base64.b64encode(key.public_key().public_bytes_raw()).decode())))
    devices = await store.devices()
    for device in devices:
        public = base64.b64encode(device.public_key).decode()
        file.write(encode(DeviceLine(device.device, public, device.enrolled, dsse.decode(device.proof))))
    batches = 0
    known = {device.device for device in devices}
    async for batch in store.batches():
        if batch.device in known:
            standing = Standing(True, batch.last_seq, batch.head, batch.received)
            file.write(encode(BatchLine(batch.raw.decode(), ingest.receipt(batch.device, standing, key))))
            batches += 1
    return len(devices), batches
