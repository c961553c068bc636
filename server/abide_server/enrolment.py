"""Enrolment: minting tokens, and deciding whether a request may register a key. No I/O.

A token buys one thing: registering the device's own key. Its secret has 256 random bits, so a plain SHA-256 is kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

import msgspec

from abide_rules import envelope as dsse
from abide_rules.errors import MalformedError, SignatureError
from abide_rules.wire import EnrolmentProof, EnrolmentToken, EnrolRequest
from abide_server.problems import RefusedError
from abide_server.store.base import NewDevice, Token

TOKEN_PREFIX = "abide1."  # noqa: S105 - not a secret
MAX_NAME_CHARS = 200
PUBLIC_KEY_BYTES = 32


class Mint(msgspec.Struct, frozen=True):
    """What every token of this server says: its address, its newest trust root, and its own authority, if any."""

    url: str
    root: bytes
    root_version: int
    ca: str = ""


def mint(server: Mint, group: str, uses: int, now: int, expires: int) -> tuple[str, Token]:
    """Make a token: the text for the laptop, which alone has the secret, and the row to keep."""
    secret = secrets.token_urlsafe(32)
    row = Token(secrets.token_hex(8), _hash(secret), group, uses, expires, server.root_version, now)
    pinned = hashlib.sha256(server.root).hexdigest()
    token = EnrolmentToken(server.url, row.token, secret, expires, group, pinned, server.ca)
    text = base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=")
    return TOKEN_PREFIX + text.decode(), row


def check_token(token: Token | None, secret: str, now: int) -> Token:
    """Return the token if the secret is right and the time has not run out. Raises RefusedError."""
    kept = token.secret_sha256 if token is not None else bytes(PUBLIC_KEY_BYTES)
    matches = hmac.compare_digest(kept, _hash(secret))
    if token is None or not matches:
        raise RefusedError("bad-token", "no such token", advice="Ask the administrator for a new token.")
    if now >= token.expires:
        raise RefusedError("expired-token", "this token has expired", advice="Ask the administrator for a new token.")
    return token


def check_proof(request: EnrolRequest) -> NewDevice:
    """Return the device that the proof proves: its signature must verify with the key that it names.

    Raises MalformedError or SignatureError.
    """
    raw = request.proof.encode()
    envelope = dsse.decode(raw)
    claimed = _public_key(_proof(dsse.payload_bytes(envelope)))
    payload = dsse.verify(envelope, dsse.ENROLMENT_TYPE, {dsse.key_id(claimed): claimed})
    proof = _proof(payload)
    if proof.token != request.token:
        raise SignatureError("the proof was made for another token")
    if max(len(proof.name), len(proof.platform), len(proof.agent_version)) > MAX_NAME_CHARS:
        raise MalformedError(f"name, platform and version have at most {MAX_NAME_CHARS} characters")
    device = dsse.device_id(claimed)
    return NewDevice(device, claimed, proof.name, proof.platform, proof.token, raw, proof.agent_version)


def _proof(payload: bytes) -> EnrolmentProof:
    try:
        return msgspec.json.decode(payload, type=EnrolmentProof)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not an enrolment proof: {error}") from error


def _public_key(proof: EnrolmentProof) -> bytes:
    try:
        key = base64.b64decode(proof.public_key, validate=True)
    except ValueError as error:
        raise MalformedError("the public key is not base64") from error
    if len(key) != PUBLIC_KEY_BYTES:
        raise MalformedError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(key)}")
    return key


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
