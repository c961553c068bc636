"""``abide-server init``: keys, update repository, database, and a private authority if one is wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, show
from abide_server.clock import system_clock
from abide_server.config import DEFAULT_PORT, DataDir, Settings, save_settings
from abide_server.keys import create_key
from abide_server.repository import Repository
from abide_server.signing import Signers
from abide_server.store.migrate import migrate
from abide_server.tls import create_authority


def init(
    data: Data = DEFAULT_DATA,
    url: Annotated[
        str, typer.Option(help=_("The address that the laptops use, e.g. https://abide.example.org:8470."))
    ] = "",
    tls_host: Annotated[
        list[str] | None,
        typer.Option(help=_("Make a private authority and a certificate for this name or address (repeatable).")),
    ] = None,
    json: Json = False,
) -> None:
    """Set up a new server in an empty data directory."""
    hosts = tls_host or []
    url = (url or _default_url(hosts)).rstrip("/")
    _check_url(url, hosts)
    folder = DataDir(data.resolve())
    _make_folder(folder)
    now = system_clock()
    create_key(folder.receipt_key)
    signers = Signers(folder.keys)
    signers.create()
    folder.keys.chmod(0o700)
    Repository(folder.tuf, signers).create(now)
    migrate(folder.database)
    folder.database.chmod(0o600)
    if hosts:
        create_authority(folder.tls, hosts, now)
    save_settings(folder, Settings(1, url, private_ca=bool(hosts)))
    text = _("The server is set up in {folder}; laptops will reach it at {url}.", folder=folder.root, url=url)
    next_step = _("Next: abide-server publish FILE, abide-server serve, abide-server token.")
    show({"data": str(folder.root), "url": url, "private_ca": bool(hosts)}, f"{text}\n{next_step}", as_json=json)


def _default_url(hosts: list[str]) -> str:
    return f"https://{hosts[0]}:{DEFAULT_PORT}" if hosts else f"http://127.0.0.1:{DEFAULT_PORT}"


def _check_url(url: str, hosts: list[str]) -> None:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            _("{url} is not an address", url=url), advice=_("Start it with https:// (or http://127.0.0.1).")
        )
    if hosts and not url.startswith("https://"):
        raise ConfigurationError(
            _("a certificate was asked for, but the address is not https"), advice=_("Use https://.")
        )


def _make_folder(folder: DataDir) -> None:
    root = folder.root
    if folder.keys.is_dir() and not folder.settings.exists():
        raise ConfigurationError(
            _("{path} holds a server without settings; nothing was changed", path=root),
            advice=_(
                "If its set-up was cut off, delete the directory and run this again; else restore {name} from a backup.",
                name=folder.settings.name,
            ),
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(
            _("{path} exists and is not empty; nothing was changed", path=root),
            advice=_("Name an empty directory with --data."),
        )
    root.mkdir(parents=True, mode=0o700, exist_ok=True)
    root.chmod(0o700)
