"""RFC 9421 signatures of HTTP requests, made with the device key."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COVERED = ("@method", "@target-uri")


class _Request(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, str]


class RequestSigner:
    """Signs as ``device``; ``now_ms`` is server time, because the server checks the signature's age."""

    def __init__(self, device: str, key: Ed25519PrivateKey, now_ms: Callable[[], int]) -> None:
        self._device = device
        self._key = key
        self._now_ms = now_ms

    def headers(self, method: str, url: str, body: bytes | None = None) -> dict[str, str]:
        """Return the headers that sign a request (with a Content-Digest when there is a body)."""
        from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms  # only rarely needed

        signer = HTTPMessageSigner(
            signature_algorithm=algorithms.ED25519,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={self._device: self._key}),
        )
        request = _Request(method, url, {})
        signer.sign(
            request,
            key_id=self._device,
            created=datetime.datetime.fromtimestamp(self._now_ms() // 1000, datetime.UTC),
            nonce=secrets.token_urlsafe(16),
            label="abide",
            covered_component_ids=COVERED,
            body=body,
        )
        return request.headers
