"""Taking in a batch: from the exact bytes to what the store appends, and from there to the receipt. No I/O.

The signature is checked once per batch, over the header that carries the hash of the body.
"""

from __future__ import annotations

import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from abide_rules import envelope as dsse
from abide_rules.errors import MalformedError, SignatureError
from abide_rules.events import Batch, Event, Receipt, parse_batch
from abide_server.store.base import EventRow, NewBatch, Standing


def parse(raw: bytes) -> Batch:
    """Parse a batch and check it against itself. Raises TooLargeError or MalformedError."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a batch is UTF-8 text") from error
    return parse_batch(raw)


def verify(batch: Batch, public_key: bytes) -> None:
    """Return if the device's key (32 raw bytes) signed the batch's header. Raises SignatureError or MalformedError.

    The same check as :func:`abide_rules.envelope.verify`, with libsodium because this is the hot path.
    """
    envelope = batch.envelope
    if envelope.payload_type != dsse.BATCH_TYPE:
        raise SignatureError(f"signed as {envelope.payload_type!r}, expected {dsse.BATCH_TYPE!r}")
    wanted = dsse.key_id(public_key)
    signed = dsse.pae(envelope.payload_type, dsse.payload_bytes(envelope))
    for signature in envelope.signatures:
        if signature.keyid == wanted:
            return _verify_one(public_key, signed, signature)
    raise SignatureError("not signed by the key of this device")


def to_store(batch: Batch, raw: bytes, now: int) -> NewBatch:
    """Return what the store appends; ``raw`` are the exact bytes that came."""
    header = batch.header
    rows = tuple(_row(header.device, event) for event in batch.events)
    return NewBatch(header.device, header.first_seq, header.last_seq, header.prev, header.head, raw, now, rows)


def receipt(device: str, standing: Standing, key: Ed25519PrivateKey) -> dsse.Envelope:
    """Sign that everything up to where the chain stands is stored."""
    payload = msgspec.json.encode(Receipt(1, device, standing.last_seq, standing.head, standing.time))
    return dsse.sign(dsse.RECEIPT_TYPE, payload, key)


def _verify_one(public_key: bytes, signed: bytes, signature: dsse.Signature) -> None:
    try:
        VerifyKey(public_key).verify(signed, _raw(signature))
    except (BadSignatureError, ValueError) as error:
        raise SignatureError("the signature does not match the content") from error


def _raw(signature: dsse.Signature) -> bytes:
    try:
        return base64.b64decode(signature.sig, validate=True)
    except ValueError as error:
        raise MalformedError("the signature of an envelope is not base64") from error


def _row(device: str, event: Event) -> EventRow:
    return EventRow(
        device, event.seq, event.at, event.kind, event.service, event.host, event.verdict, event.rule, event.clause,
        event.person, event.policy_version, event.period,
    )  # fmt: skip
