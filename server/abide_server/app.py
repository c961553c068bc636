"""The application: the only place where its parts are put together."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from abide_rules.wire import (
    ENROLL_PATH,
    EVENTS_PATH,
    EXTENSION_PATH,
    MAX_BATCH_BYTES,
    STREAM_PATH,
    TUF_METADATA_PATH,
    TUF_TARGETS_PATH,
)
from abide_server.background import run_background
from abide_server.clock import Clock
from abide_server.config import ServerConfig
from abide_server.console.page import Console
from abide_server.context import (
    CLOCK,
    CONFIG,
    CONSOLE,
    DEVICE_KEYS,
    HUB,
    METRICS,
    NONCES,
    RECEIPT_KEY,
    REPOSITORY,
    STORE,
)
from abide_server.devicekeys import DeviceKeys
from abide_server.handlers import console, enroll, events, extension, health, stream, tuf
from abide_server.keys import load_key
from abide_server.metrics import Metrics
from abide_server.middleware.errors import problems
from abide_server.middleware.headers import add_security_headers
from abide_server.push import Hub
from abide_server.repository import Repository
from abide_server.requestauth import Nonces
from abide_server.signing import Signers
from abide_server.store.base import Store


def create_app(config: ServerConfig, store: Store, clock: Clock) -> web.Application:
    """Return the application; it owns ``store`` and closes it at the end. Raises ConfigurationError."""
    app = web.Application(middlewares=[problems], client_max_size=MAX_BATCH_BYTES)
    app[CONFIG] = config
    app[STORE] = store
    app[CLOCK] = clock
    app[REPOSITORY] = Repository(config.data.tuf, Signers(config.data.keys))
    app[RECEIPT_KEY] = load_key(config.data.receipt_key)
    app[DEVICE_KEYS] = DeviceKeys(store)
    app[HUB] = Hub(clock)
    app[NONCES] = Nonces()
    app[METRICS] = Metrics()
    app[CONSOLE] = Console(store, app[HUB], clock)
    _add_routes(app.router)
    app.on_response_prepare.append(add_security_headers)
    app.on_shutdown.append(_say_goodbye)
    app.cleanup_ctx.append(_own_store)
    app.cleanup_ctx.append(run_background)
    return app


def _add_routes(router: web.UrlDispatcher) -> None:
    router.add_post(ENROLL_PATH, enroll.enroll)
    router.add_post(EVENTS_PATH, events.post_events)
    router.add_get(STREAM_PATH, stream.stream)
    router.add_get(TUF_METADATA_PATH + "{name}", tuf.get_metadata)
    router.add_get(TUF_TARGETS_PATH + "{path:.+}", tuf.get_target)
    router.add_get(EXTENSION_PATH + "{name}", extension.get_extension)
    router.add_get("/healthz", health.healthz)
    router.add_get("/readyz", health.readyz)
    router.add_get("/metrics", health.metrics)
    router.add_get("/", console.page)
    router.add_get("/live", console.live)
    router.add_get("/console/{name}", console.asset)


async def _say_goodbye(app: web.Application) -> None:
    app[CONSOLE].close()
    await app[HUB].close()


async def _own_store(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[STORE].close()
