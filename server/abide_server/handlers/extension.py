"""``GET /extension/…``: the published extension, as browsers with the policy ask for it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from urllib.parse import parse_qs

from aiohttp import web

from abide_rules.extension_package import CRX_MEDIA_TYPE, XPI_MEDIA_TYPE
from abide_rules.extension_update import LATEST_XPI, UPDATE_LIST, UPDATE_MANIFEST
from abide_server.context import CONFIG
from abide_server.extension import Published, answer_chromium, answer_firefox, load_published
from abide_server.handlers.tuf import ALWAYS_ASK, IMMUTABLE
from abide_server.problems import RefusedError

MAX_ASKED = 50
_ID = re.compile(r"[a-p]{32}")
_VERSION = re.compile(r"[0-9.]{1,32}")


async def get_extension(request: web.Request) -> web.StreamResponse:
    """Serve an update document or a package; 404 while nothing is published."""
    config = request.app[CONFIG]
    published = await asyncio.to_thread(load_published, config.data.extension)
    if published is None:
        raise RefusedError(
            "not-found",
            "no extension is published here",
            advice="Pack it and run on the server: abide-server extension FILE.crx FILE.xpi",
        )
    name = request.match_info["name"]
    if name == UPDATE_MANIFEST:
        return _document(request, answer_chromium(published, _asked(request), config.settings.url), "text/xml")
    if name == UPDATE_LIST:
        return _document(request, answer_firefox(published, config.settings.url), "application/json")
    return _package(request, name, published)


def _package(request: web.Request, name: str, published: Published) -> web.StreamResponse:
    caching = IMMUTABLE
    if name == LATEST_XPI:
        name, caching = published.xpi, ALWAYS_ASK
    if name not in published.names():
        raise RefusedError(
            "not-found", "no such package", advice=f"The newest one is named in {UPDATE_MANIFEST} and {UPDATE_LIST}."
        )
    media_type = CRX_MEDIA_TYPE if name.endswith(".crx") else XPI_MEDIA_TYPE
    headers = {"Cache-Control": caching, "Content-Type": media_type}
    return web.FileResponse(request.app[CONFIG].data.extension / name, headers=headers)


def _asked(request: web.Request) -> list[tuple[str, str]]:
    """Return the extensions in ``x=id%3D…%26v%3D…`` parameters; what is no id is left out."""
    asked = []
    for value in request.query.getall("x", [])[:MAX_ASKED]:
        fields = parse_qs(value)
        extension, version = fields.get("id", [""])[0], fields.get("v", [""])[0]
        if _ID.fullmatch(extension):
            asked.append((extension, version if _VERSION.fullmatch(version) else ""))
    return asked


def _document(request: web.Request, body: bytes, media_type: str) -> web.Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    known = request.if_none_match or ()
    response = web.Response(status=304) if tag in {each.value for each in known} else web.Response(body=body)
    response.content_type = media_type
    response.etag = tag
    response.headers["Cache-Control"] = ALWAYS_ASK
    return response
