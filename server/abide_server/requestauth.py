"""Signed HTTP requests (RFC 9421): who asks, that nobody changed the question, and that it is not a replay.

A request covers at least ``@method`` and ``@target-uri``, with ``created``, ``nonce`` and ``keyid`` = device id. The target
is the address that the agents were given, whatever proxy stands in front.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    MappingKeyResolver,
    VerifyResult,
    algorithms,
)

from abide_rules.errors import SignatureError
from abide_rules.wire import SIGNATURE_AGE_S
from abide_server.problems import RefusedError

MAX_NONCES = 200_000
MAX_NONCE_CHARS = 200
_KEY_ID = re.compile(r';keyid="(dev-[0-9a-f]{20})"')


class SignedRequest:
    """What the verifier needs to see of a request."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.url = url
        self.headers = headers


class Nonces:
    """Remembers the nonces of the last minutes, so that a request counts once in this process."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()

    def use(self, device: str, nonce: str, now_s: int) -> None:
        """Take a nonce. Raises SignatureError when it was used before."""
        while self._seen and next(iter(self._seen.values())) < now_s - 2 * SIGNATURE_AGE_S:
            self._seen.popitem(last=False)
        if (device, nonce) in self._seen:
            raise SignatureError("this request was sent before", advice="Sign each request with a new nonce.")
        if len(self._seen) >= MAX_NONCES:
            raise RefusedError("internal", "too many signed requests", status=503)
        self._seen[device, nonce] = now_s


def claimed_device(headers: Mapping[str, str]) -> str:
    """Return the device that claims to have signed. Proves nothing. Raises SignatureError."""
    match = _KEY_ID.search(headers.get("Signature-Input", ""))
    if match is None:
        raise SignatureError("this needs the signature of an enrolled device (RFC 9421)")
    return match.group(1)


def verify_request(request: SignedRequest, device: str, public_key: bytes, nonces: Nonces, now: int) -> None:
    """Return if ``device`` signed the request within SIGNATURE_AGE_S, for the first time. Raises SignatureError."""
    result = _verified(request, device, public_key)
    created = result.parameters["created"]
    if not isinstance(created, int) or abs(now // 1000 - created) > SIGNATURE_AGE_S:
        raise SignatureError("the signature is too old or from the future", advice="Compare the clocks.")
    if not result.nonce or len(result.nonce) > MAX_NONCE_CHARS:
        raise SignatureError("the signature has no usable nonce")
    nonces.use(device, result.nonce, now // 1000)


def _verified(request: SignedRequest, device: str, public_key: bytes) -> VerifyResult:
    keys = MappingKeyResolver(public_keys={device: Ed25519PublicKey.from_public_bytes(public_key)}, private_keys={})
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    try:
        results = verifier.verify(request, max_age=None, require_components=("@method", "@target-uri"))
    except HTTPMessageSignaturesException as error:
        raise SignatureError(f"the request's signature does not verify: {error}") from error
    if len(results) != 1:
        raise SignatureError("exactly one signature is expected")
    return results[0]


class _Verifier(HTTPMessageVerifier):
    """Leaves the judgement of times to :func:`verify_request`, which has the server's clock."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Only demand that ``created`` is there."""
        if "created" not in getattr(sig_input, "params", {}):
            raise HTTPMessageSignaturesException("created is missing")
