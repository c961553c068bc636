"""DSSE: the one way in which anything outside TUF is signed here.

Source: https://github.com/secure-systems-lab/dsse (protocol and envelope, version 1). The signature covers the
*pre-authentication encoding* of payload type and payload, so bytes signed as one type never verify as another.
Keys are Ed25519 (RFC 8032); a key id is the hex SHA-256 of the 32 raw public bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from abide_rules.errors import MalformedError, SignatureError

BATCH_TYPE = "application/vnd.abide.batch.v1+json"
RECEIPT_TYPE = "application/vnd.abide.receipt.v1+json"
ENROLMENT_TYPE = "application/vnd.abide.enrolment.v1+json"
STREAM_TYPE = "application/vnd.abide.stream.v1+json"
PLAN_TYPE = "application/vnd.abide.plan.v1+json"


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature: the key's id and the base64 of its 64 bytes."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A DSSE envelope; ``payload`` is base64, ``signatures`` has at least one entry when it is of use."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...]


def key_id(public: bytes) -> str:
    """Return the hex SHA-256 of 32 raw Ed25519 public bytes."""
    return hashlib.sha256(public).hexdigest()


def device_id(public: bytes) -> str:
    """Return the id of the device that holds a key: it follows from the 32 public bytes, so nobody can borrow it."""
    return f"dev-{key_id(public)[:20]}"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the DSSE pre-authentication encoding, the bytes that are really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, key: Ed25519PrivateKey) -> Envelope:
    """Sign ``payload`` as ``payload_type`` with one key."""
    public = key.public_key().public_bytes_raw()
    sig = key.sign(pae(payload_type, payload))
    return Envelope(payload_type, _b64(payload), (Signature(key_id(public), _b64(sig)),))


def encode(envelope: Envelope) -> bytes:
    """Return the envelope as one line of JSON without a newline."""
    return msgspec.json.encode(envelope)


def decode(raw: bytes) -> Envelope:
    """Parse an envelope. Raises MalformedError; proves nothing yet."""
    try:
        return msgspec.json.decode(raw, type=Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a DSSE envelope: {error}") from error


def payload_bytes(envelope: Envelope) -> bytes:
    """Return the decoded payload *without* proving anything. Raises MalformedError."""
    return _unb64(envelope.payload, "payload")


def verify(envelope: Envelope, payload_type: str, keys: Mapping[str, bytes]) -> bytes:
    """Return the payload if at least one of ``keys`` (key id to 32 raw bytes) signed it as ``payload_type``.

    Raises SignatureError (wrong type, unknown key, no match) or MalformedError.
    """
    if envelope.payload_type != payload_type:
        raise SignatureError(f"signed as {envelope.payload_type!r}, expected {payload_type!r}")
    payload = payload_bytes(envelope)
    signed = pae(payload_type, payload)
    known = [(keys[s.keyid], s) for s in envelope.signatures if s.keyid in keys]
    if not known:
        raise SignatureError("signed by no key that is trusted here")
    for public, signature in known:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(_unb64(signature.sig, "signature"), signed)
        except InvalidSignature:
            continue
        return payload
    raise SignatureError("the signature does not match the content")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"the {what} of an envelope is not base64") from error
