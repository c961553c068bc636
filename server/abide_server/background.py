"""What the running server does by itself: watch for releases, ping the streams, sign again before anything expires."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from abide_rules.errors import AbideError
from abide_rules.wire import STREAM_PING_S
from abide_server.config import ServerConfig
from abide_server.context import CLOCK, CONFIG, HUB, METRICS, REPOSITORY, STORE
from abide_server.lock import locked
from abide_server.repository import Repository
from abide_server.tasks import Tasks
from abide_server.watch import watching

RENEW_CHECK_S = 600

_log = structlog.get_logger(__name__)


async def run_background(app: web.Application) -> AsyncIterator[None]:
    """Own the background tasks while the application runs (a ``cleanup_ctx``)."""
    tasks = Tasks()
    app[HUB].version = await asyncio.to_thread(app[REPOSITORY].timestamp_version)
    app[METRICS].version.set(app[HUB].version)
    with watching(app[REPOSITORY].timestamp_file) as changed:
        tasks.start("nudge", _nudge(app, changed))
        tasks.start("ping", _ping(app, changed))
        tasks.start("renew", _renew(app))
        yield
        await tasks.close()


async def _nudge(app: web.Application, changed: asyncio.Event) -> None:
    while True:
        await changed.wait()
        changed.clear()
        try:
            version = await asyncio.to_thread(app[REPOSITORY].timestamp_version)
        except AbideError as error:
            _log.error("cannot read the timestamp", error=str(error))
            continue
        if version > app[HUB].version:
            reached = await app[HUB].nudge(version)
            app[METRICS].version.set(version)
            app[METRICS].nudges.inc(reached)
            _log.info("nudged", version=version, streams=reached)


async def _ping(app: web.Application, changed: asyncio.Event) -> None:
    while True:
        await asyncio.sleep(STREAM_PING_S)
        changed.set()  # a lost file event costs one ping interval, not a release
        try:
            await app[HUB].ping(await app[STORE].revoked())
        except AbideError as error:
            _log.warning("ping failed", error=str(error))


async def _renew(app: web.Application) -> None:
    while True:
        try:
            version = await asyncio.to_thread(renew_once, app[CONFIG], app[REPOSITORY], app[CLOCK]())
        except (AbideError, OSError) as error:
            _log.error("cannot sign again", error=str(error), advice=getattr(error, "advice", ""))
        else:
            if version is not None:
                _log.info("signed again", version=version)
        await asyncio.sleep(RENEW_CHECK_S)


def renew_once(config: ServerConfig, repository: Repository, now: int) -> int | None:
    """Clean up after killed publishers, and sign again what is due; return the new timestamp version or None.

    Holds the publish lock.
    """
    with locked(config.data.publish_lock):
        repository.remove_leftovers()
        return repository.renew(now)
