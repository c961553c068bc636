"""``abide-server serve``: run until SIGTERM or Ctrl-C, then end in order."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Annotated

import typer

from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, open_data, show
from abide_server.config import DEFAULT_PORT, DataDir, ServerConfig, load_settings
from abide_server.store.migrate import migrate


def serve(
    data: Data = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help=_("Port to listen on; 0 takes a free one."), min=0, max=65535)
    ] = DEFAULT_PORT,
    cert: Annotated[Path | None, typer.Option(help=_("Certificate chain (PEM), instead of the private one."))] = None,
    key: Annotated[Path | None, typer.Option(help=_("Private key of --cert (PEM)."))] = None,
    console_public: Annotated[
        bool,
        typer.Option(
            "--console-public", help=_("Show web page and metrics to every client, not only to this machine.")
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Serve agents and the web page; prints one line with the address when it listens."""
    from abide_server.logs import configure_logs
    from abide_server.run import Listen, run_server

    configure_logs()
    folder = open_data(data)
    listen = Listen(host, port, _tls(folder, cert, key))
    config = ServerConfig(folder, load_settings(folder), console_public)
    migrate(folder.database)

    def announce(url: str) -> None:
        show({"listening": url}, _("abide-server listens on {url}", url=url), as_json=json)
        sys.stdout.flush()

    run_server(config, listen, announce)


def _tls(folder: DataDir, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    from abide_server.tls import CERTIFICATE_FILE, KEY_FILE, server_context

    if (cert is None) != (key is None):
        raise ConfigurationError(_("--cert and --key belong together"), advice=_("Give both or none."))
    if cert is not None and key is not None:
        return server_context(cert, key)
    if load_settings(folder).private_ca:
        return server_context(folder.tls / CERTIFICATE_FILE, folder.tls / KEY_FILE)
    return None
