"""Who may see the console and the metrics: this machine only, until there is an administrator's login.

The name in ``Host`` must be this machine's too, so that no web page can reach the console by rebinding its own name; and a
request that came through a proxy does not count as local.
"""

from __future__ import annotations

import ipaddress

from aiohttp import web

from abide_server.context import CONFIG
from abide_server.problems import RefusedError

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def require_local(request: web.Request) -> None:
    """Return if the client may see the console. Raises RefusedError."""
    if request.app[CONFIG].console_public:
        return
    if not (_is_loopback(request.remote) and request.url.host in _LOCAL_NAMES) or any(
        name in request.headers for name in _FORWARDED
    ):
        raise RefusedError(
            "not-acceptable",
            "the console is shown to this machine only",
            advice="Open it on the server itself, or start the server with --console-public.",
            status=403,
        )


def _is_loopback(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False
