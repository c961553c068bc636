"""Runs the application on a socket until it is told to stop, then ends in order."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import Callable

import msgspec
import structlog
from aiohttp import web

from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_server.app import create_app
from abide_server.clock import system_clock
from abide_server.config import ServerConfig
from abide_server.store.sqlite import SqliteStore

SHUTDOWN_TIMEOUT_S = 5.0
BACKLOG = 1024

_log = structlog.get_logger(__name__)


class Listen(msgspec.Struct, frozen=True):
    """Where to listen, and with which TLS settings (None: plain http)."""

    host: str
    port: int
    tls: ssl.SSLContext | None


def run_server(config: ServerConfig, listen: Listen, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` gets the address once it listens. Raises ConfigurationError."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(config, listen, announce))


async def _run(config: ServerConfig, listen: Listen, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = create_app(config, SqliteStore(config.data.database), system_clock)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, listen.host, listen.port, ssl_context=listen.tls, backlog=BACKLOG)
        await _start(site, listen)
        scheme = "https" if listen.tls is not None else "http"
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        announce(f"{scheme}://{host}:{runner.addresses[0][1]}")
        await stop.wait()
        _log.info("stopping")
    finally:
        await runner.cleanup()


async def _start(site: web.TCPSite, listen: Listen) -> None:
    try:
        await site.start()
    except OSError as error:
        raise ConfigurationError(
            _(
                "cannot listen on {place}: {reason}",
                place=f"{listen.host}:{listen.port}",
                reason=error.strerror or error,
            ),
            advice=_("Choose another --host or --port."),
        ) from error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
