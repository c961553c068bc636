"""Reading a request's body with the limit applied before and while it comes in."""

from __future__ import annotations

import asyncio

from aiohttp import web

from abide_rules.errors import TooLargeError
from abide_server.problems import RefusedError

BODY_TIMEOUT_S = 60.0


async def read_limited(request: web.Request, limit: int, media_type: str) -> bytes:
    """Return the body. Raises RefusedError for another media type or an encoding, TooLargeError over ``limit``."""
    if request.content_type != media_type:
        raise RefusedError("not-acceptable", f"send {media_type}, not {request.content_type}", status=415)
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise RefusedError("not-acceptable", "send the body without content encoding", status=415)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read(request, limit)
    except TimeoutError as error:
        raise RefusedError("not-acceptable", "the body did not come in time", status=408) from error


async def _read(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"at most {limit} bytes are allowed here", advice="Send less at once.")
