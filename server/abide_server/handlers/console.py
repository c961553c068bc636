"""``/``, ``/live`` and ``/console/…``: the page, its live feed (server-sent events), its assets."""

from __future__ import annotations

import contextlib

import msgspec
from aiohttp import web

from abide_server.access import require_local
from abide_server.console.page import ASSETS, pick_language
from abide_server.console.page import asset as load_asset
from abide_server.context import CONSOLE
from abide_server.problems import RefusedError


async def page(request: web.Request) -> web.Response:
    """Serve the page."""
    require_local(request)
    html = await request.app[CONSOLE].page(_language(request))
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return web.Response(text=html, content_type="text/html", charset="utf-8", headers=headers)


async def live(request: web.Request) -> web.StreamResponse:
    """Send the sections of the page whenever they change, as server-sent events."""
    require_local(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):  # The page was closed: the ordinary end of this response.
        async for sections in request.app[CONSOLE].changes(_language(request)):
            text = b"data: " + msgspec.json.encode(sections) + b"\n\n" if sections else b": still here\n\n"
            await response.write(text)
    return response


async def asset(request: web.Request) -> web.Response:
    """Serve one of the page's own files."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise RefusedError("not-found", "no such file")
    body, media_type = load_asset(name)
    return web.Response(body=body, content_type=media_type, charset="utf-8", headers={"Cache-Control": "no-cache"})


def _language(request: web.Request) -> str:
    return pick_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
