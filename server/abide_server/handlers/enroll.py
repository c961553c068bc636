"""``POST /v1/enroll``: a token and a proof buy the registration of one key."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import structlog
from aiohttp import web

from abide_rules.errors import MalformedError
from abide_rules.wire import MAX_ENROL_BYTES, EnrolRequest, EnrolResponse
from abide_server.context import CLOCK, METRICS, RECEIPT_KEY, REPOSITORY, STORE
from abide_server.enrolment import check_proof, check_token
from abide_server.handlers.body import read_limited

_log = structlog.get_logger(__name__)


async def enroll(request: web.Request) -> web.Response:
    """Register a device; the same key again is answered the same."""
    app = request.app
    asked = _parse(await read_limited(request, MAX_ENROL_BYTES, "application/json"))
    now = app[CLOCK]()
    token = check_token(await app[STORE].token(asked.token), asked.secret, now)
    device = await app[STORE].enrol(check_proof(asked), now)
    app[METRICS].enrolments.inc()
    _log.info("device enrolled", device=device.device, name=device.name)
    root = await asyncio.to_thread(app[REPOSITORY].root, token.root_version)
    answer = EnrolResponse(
        device.device,
        base64.b64encode(app[RECEIPT_KEY].public_key().public_bytes_raw()).decode(),
        base64.b64encode(root).decode(),
        now,
    )
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _parse(raw: bytes) -> EnrolRequest:
    try:
        return msgspec.json.decode(raw, type=EnrolRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not an enrolment request: {error}") from error
