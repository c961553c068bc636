"""What all commands share: the data directory, output for people or machines, an open store, who acts."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from abide_rules.errors import AbideError
from abide_rules.i18n import _
from abide_server.clock import system_clock
from abide_server.config import DataDir, load_settings
from abide_server.store.base import Act
from abide_server.store.migrate import migrate
from abide_server.store.sqlite import SqliteStore

Data = Annotated[
    Path, typer.Option("--data", envvar="ABIDE_DATA", help=_("The server's data directory."), show_envvar=True)
]
Json = Annotated[bool, typer.Option("--json", help=_("Print one JSON document instead of text."))]
Note = Annotated[str, typer.Option("--note", help=_("Why, for the history."))]
DEFAULT_DATA = Path("abide-data")


def open_data(data: Path) -> DataDir:
    """Return the data directory after checking that it is one. Raises ConfigurationError."""
    folder = DataDir(data.resolve())
    load_settings(folder)
    return folder


@asynccontextmanager
async def open_store(data: DataDir) -> AsyncIterator[SqliteStore]:
    """Open the store, upgraded to this version's schema, and close it afterwards."""
    migrate(data.database)
    store = SqliteStore(data.database)
    try:
        yield store
    finally:
        await store.close()


def act(action: str, subject: str = "", note: str = "") -> Act:
    """Return an administrative act by whoever runs this command, now."""
    return Act(system_clock(), actor(), action, subject, note)


def actor() -> str:
    """Return the name of the person who runs this command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def read_file(path: Path) -> bytes:
    """Return a file's bytes. Raises AbideError with advice."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise AbideError(_("cannot read {path}: {reason}", path=path, reason=reason)) from error


def show(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the result, for machines or for people."""
    typer.echo(msgspec.json.encode(value).decode() if as_json else text)
