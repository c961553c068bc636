"""``POST /v1/events``: a signed batch in, a signed receipt out, after the commit."""

from __future__ import annotations

from aiohttp import web

from abide_rules import envelope as dsse
from abide_rules.wire import BATCH_MEDIA_TYPE, MAX_BATCH_BYTES
from abide_server import ingest
from abide_server.context import CLOCK, DEVICE_KEYS, METRICS, RECEIPT_KEY, STORE
from abide_server.handlers.body import read_limited


async def post_events(request: web.Request) -> web.Response:
    """Store a batch exactly once; a batch that was stored before gets the current receipt again."""
    app = request.app
    raw = await read_limited(request, MAX_BATCH_BYTES, BATCH_MEDIA_TYPE)
    batch = ingest.parse(raw)
    ingest.verify(batch, await app[DEVICE_KEYS].get(batch.header.device))
    standing = await app[STORE].append(ingest.to_store(batch, raw, app[CLOCK]()))
    app[METRICS].batches.labels("new" if standing.new else "duplicate").inc()
    if standing.new:
        app[METRICS].events.inc(batch.header.count)
    receipt = ingest.receipt(batch.header.device, standing, app[RECEIPT_KEY])
    return web.Response(body=dsse.encode(receipt), content_type="application/json")
