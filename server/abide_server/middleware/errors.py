"""Every refusal and every failure becomes a problem+json answer (RFC 9457), and is counted."""

from __future__ import annotations

import time

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from abide_rules.errors import AbideError, TransportError
from abide_rules.wire import PROBLEM_MEDIA_TYPE, Problem
from abide_server.context import METRICS
from abide_server.problems import RefusedError, problem_of

_log = structlog.get_logger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors as problems, and count requests by route."""
    started = time.perf_counter()
    metrics = request.app[METRICS]
    try:
        response = await handler(request)
    except AbideError as error:
        response = _refuse(request, error)
    except web.HTTPException as error:
        response = error if error.status < 400 else _refuse(request, _from_http(error))
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        _log.exception("request failed", method=request.method, path=request.path)
        response = _answer(Problem("urn:abide:internal", "The server failed", 500))
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    metrics.requests.labels(route, str(response.status)).inc()
    metrics.seconds.labels(route).observe(time.perf_counter() - started)
    return response


def _refuse(request: web.Request, error: AbideError) -> web.Response:
    problem = problem_of(error)
    request.app[METRICS].refusals.labels(problem.type.rpartition(":")[2]).inc()
    if problem.status >= 500:
        _log.error("request failed", method=request.method, path=request.path, error=str(error))
    else:
        _log.info("request refused", method=request.method, path=request.path, type=problem.type, detail=problem.detail)
    response = _answer(problem)
    if isinstance(error, TransportError):
        response.headers["Retry-After"] = "5"
    return response


def _answer(problem: Problem) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type=PROBLEM_MEDIA_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def _from_http(error: web.HTTPException) -> AbideError:
    if error.status == 404:
        return RefusedError("not-found", "there is nothing here")
    if error.status == 413:
        return RefusedError("too-large", "the body is over the limit of this path")
    if error.status >= 500:
        return TransportError(error.reason)
    return RefusedError("not-acceptable", error.reason, status=error.status)
