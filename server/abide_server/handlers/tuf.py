"""``GET /v1/tuf/…``: the update repository as files. Anyone may read them, except who the people are."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from abide_server.context import CLOCK, CONFIG, DEVICE_KEYS, NONCES
from abide_server.problems import RefusedError
from abide_server.requestauth import SignedRequest, claimed_device, verify_request

_METADATA = re.compile(r"(?:\d{1,9}\.(?:root|targets|snapshot|policy|people)|timestamp)\.json")
_TARGET = re.compile(r"(?P<folder>policy|people)/[0-9a-f]{64}\.[a-z0-9-]+\.json")
IMMUTABLE = "public, max-age=31536000, immutable"
PRIVATE = "private, max-age=31536000, immutable"
ALWAYS_ASK = "no-cache"


async def get_metadata(request: web.Request) -> web.StreamResponse:
    """Serve one metadata file; a version never changes, the timestamp does."""
    name = request.match_info["name"]
    if _METADATA.fullmatch(name) is None:
        raise RefusedError("not-found", "no such metadata")
    caching = ALWAYS_ASK if name == "timestamp.json" else IMMUTABLE
    return _file(request.app[CONFIG].data.tuf / "metadata" / name, caching)


async def get_target(request: web.Request) -> web.StreamResponse:
    """Serve one target; ``people`` to enrolled devices only."""
    path = request.match_info["path"]
    match = _TARGET.fullmatch(path)
    if match is None:
        raise RefusedError("not-found", "no such target")
    private = match["folder"] == "people"
    if private:
        await _require_device(request)
    return _file(request.app[CONFIG].data.tuf / "targets" / path, PRIVATE if private else IMMUTABLE)


async def _require_device(request: web.Request) -> None:
    app = request.app
    device = claimed_device(request.headers)
    key = await app[DEVICE_KEYS].get_active(device)
    url = app[CONFIG].settings.url + request.raw_path
    verify_request(SignedRequest(request.method, url, request.headers), device, key, app[NONCES], app[CLOCK]())


def _file(path: Path, caching: str) -> web.StreamResponse:
    return web.FileResponse(path, headers={"Cache-Control": caching, "Content-Type": "application/json"})
