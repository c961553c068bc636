"""The only HTTP client: one session, one TLS context, one classifier of errors.

Plain http is refused beyond loopback. A pinned authority (PEM) replaces the system's; when it cannot be read that is a
ConfigurationError and never a fall-back. Redirects are not followed. What is not known to be anybody's fault is a
TransportError: keep the data and retry.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from abide_agent import __version__
from abide_agent.signing import RequestSigner
from abide_rules.errors import AbideError, ConfigurationError, ForkError, GapError, TooLargeError, TransportError
from abide_rules.i18n import _
from abide_rules.wire import MAX_BATCH_BYTES, MAX_STREAM_MESSAGE_BYTES, STREAM_PATH, STREAM_PING_S, Problem

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 20
REQUEST_TIMEOUT_S = 60
CLOSE_TIMEOUT_S = 1
MAX_ANSWER_BYTES = MAX_BATCH_BYTES
REFUSALS = {"revoked-device": "sync/revoked", "unknown-device": "sync/unknown-device"}
"""Refusals of this device, by the problem type that the server names."""


class HttpError(TransportError):
    """The server answered with an error ``status`` that proves nobody's fault."""

    def __init__(self, message: str, *, status: int, advice: str = "", code: str = "") -> None:
        super().__init__(message, advice=advice, code=code or code_of_status(status))
        self.status = status


def check_url(url: str) -> str:
    """Return the server's URL without a trailing slash. Raises ConfigurationError unless https or loopback."""
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigurationError(
            _("not the address of a server: {url}", url=url), advice=_("It looks like https://host:port")
        )
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return url.rstrip("/")
    raise ConfigurationError(
        _("{url} is not encrypted", url=url), advice=_("Use https; plain http is accepted on this machine only.")
    )


def tls_context(ca: str) -> ssl.SSLContext:
    """Return the context that trusts ``ca`` (PEM) only, or the system's authorities when it is empty.

    Raises ConfigurationError when ``ca`` is not a PEM with certificates.
    """
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise ConfigurationError(
            _("the pinned certificate authority cannot be read: {reason}", reason=error),
            advice=_("Enrol again with a new token."),
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def code_of_status(status: int) -> str:
    """Return the code of the problem that an HTTP status means when nothing more is said."""
    match status:
        case 200 | 511:
            return "sync/portal"
        case 401 | 403 | 407:
            return "sync/unauthorized"
        case _ if status >= 500:
            return "sync/server-error"
        case _ if 300 <= status < 400:
            return "sync/portal"
        case _:
            return "sync/rejected"


def classify(status: int, body: bytes) -> AbideError:
    """Return the error that an answer means. The default is to keep the data and retry; a 401 proves nothing."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return HttpError(f"the server answered {status}", status=status)
    text = problem.detail or problem.title
    kind = problem.type.removeprefix("urn:abide:")
    match kind, status:
        case "gap", 409 if problem.expected_seq is not None and problem.expected_seq > 0:
            return GapError(text, expected_seq=problem.expected_seq, advice=problem.advice)
        case "fork", 409:
            return ForkError(text, advice=problem.advice)
        case "too-large", 413:
            return TooLargeError(text, advice=problem.advice)
        case _:
            code = REFUSALS.get(kind, "")
            return HttpError(f"the server answered {status}: {text}", status=status, advice=problem.advice, code=code)


class Transport:
    """The way to one server; use it as an async context manager."""

    def __init__(self, server: str, ca: str, signer: RequestSigner | None = None) -> None:
        self.server = check_url(server)
        self._tls = tls_context(ca)
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self.date = ""
        """The ``Date`` of the server's last answer, empty when it gave none."""

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(
            total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=8),
            timeout=timeout,
            headers={"User-Agent": f"abide-agent/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, *, signed: bool = False, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        """Fetch ``path``. Raises TransportError (HttpError when the server answered)."""
        url = self.server + path
        headers = self._signer.headers("GET", url) if signed and self._signer is not None else {}
        return await self._request("GET", url, headers, None, max_bytes)

    async def post(self, path: str, body: bytes, content_type: str) -> bytes:
        """Send ``body``. Raises what :func:`classify` returns, or TransportError."""
        headers = {"Content-Type": content_type}
        return await self._request("POST", self.server + path, headers, body, MAX_ANSWER_BYTES)

    async def open_stream(self) -> aiohttp.ClientWebSocketResponse:
        """Open the WebSocket; a silent peer is noticed within two ping intervals. Raises TransportError."""
        try:
            return await self._open().ws_connect(
                self.server + STREAM_PATH,
                heartbeat=STREAM_PING_S,
                max_msg_size=MAX_STREAM_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, max_bytes: int
    ) -> bytes:
        try:
            async with self._open().request(
                method, url, headers=dict(headers), data=body, allow_redirects=False
            ) as response:
                self.date = response.headers.get("Date", "")
                answer = await _read(response, max_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error
        if response.status // 100 != 2:
            raise classify(response.status, answer)
        if response.content_type == "text/html":
            raise HttpError("a web page came instead of an answer", status=response.status)
        return answer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            raise TransportError("the connection to the server is closed")
        return self._session


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(65_536):
        size += len(part)
        if size > max_bytes:
            raise TransportError(f"the server's answer is longer than {max_bytes} bytes", code="sync/nonsense")
        parts.append(part)
    return b"".join(parts)


def _unreachable(error: Exception) -> TransportError:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return TransportError(
                f"the server's certificate is not trusted: {error}",
                advice=_("Check the laptop's date and the certificate; enrol again if the authority was changed."),
                code="sync/tls",
            )
        case aiohttp.WSServerHandshakeError():
            return HttpError(f"the server answered {error.status}", status=error.status)
        case asyncio.TimeoutError():
            return TransportError("the server does not answer in time", code="sync/timeout")
        case aiohttp.ClientConnectorDNSError():
            return TransportError(f"the server's name cannot be found: {error}", code="sync/dns")
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return TransportError(f"the server's answer makes no sense: {error}", code="sync/nonsense")
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return TransportError(f"the server cannot be reached: {error}", code="sync/refused")
        case _:
            return TransportError(
                f"the server cannot be reached: {str(error) or type(error).__name__}", code="sync/unreachable"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
