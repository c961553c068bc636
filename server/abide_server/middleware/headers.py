"""Security headers of every answer: nothing is framed, sniffed, referred or loaded from elsewhere."""

from __future__ import annotations

from aiohttp import web

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "abide",
}


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers just before the answer starts (a signal, so that streams and files have them too)."""
    response.headers.update(_HEADERS)
