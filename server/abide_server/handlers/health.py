"""``/healthz``, ``/readyz`` and ``/metrics``: for those who run the server."""

from __future__ import annotations

from aiohttp import web

from abide_server.access import require_local
from abide_server.context import METRICS, STORE


async def healthz(_request: web.Request) -> web.Response:
    """Say that the process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Say that the store reads and writes; otherwise 500 with a problem."""
    await request.app[STORE].ready()
    return web.json_response({"status": "ready"})


async def metrics(request: web.Request) -> web.Response:
    """Give the counters in the Prometheus text format."""
    require_local(request)
    return web.Response(
        body=request.app[METRICS].text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
