"""The event, the batch and the chain: what is recorded, and the proof that nothing is missing.

A *batch* is NDJSON: its first line is a DSSE envelope whose payload is a :class:`BatchHeader`; each further line is
one :class:`Event`. Lines are hashed as the exact bytes that were sent (without the newline)::

    h_0 = 64 zeros        h_i = SHA-256(h_{i-1} as 32 bytes ‖ line_i)

``prev`` of the header is the hash before the first event of the batch and ``head`` the one after the last, so that
batches chain into one log per device without gaps. Times are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_rules import envelope as dsse
from abide_rules.errors import ForkError, GapError, MalformedError, TooLargeError
from abide_rules.wire import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES

GENESIS = "0" * 64

T = TypeVar("T")

Kind = Literal[
    "visit", "content", "copy_out", "account", "app", "grant", "notice", "training", "dispute",
    "coverage", "tamper", "policy_in_force", "dropped",
]  # fmt: skip
Surface = Literal["browser", "desktop", "cli"]
Purpose = Literal["business", "personal", "undeclared"]
Period = Literal["working", "free"]
VerdictName = Literal["allow", "count", "inform", "warn", "justify", "block"]
VERDICTS: tuple[VerdictName, ...] = ("allow", "count", "inform", "warn", "justify", "block")


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a detector found: never text, only its id, how strong, and how often."""

    detector: str
    strength: Literal["strong", "medium", "weak"]
    count: int


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The record of one observation and its verdict (schema 1, append-only).

    ``at`` is the agent's estimate of server time (ms), ``tz_offset`` the laptop's offset from UTC (minutes east).
    ``dropped`` is set on kind ``dropped`` only: how many observations were not recorded.
    """

    v: Literal[1]
    seq: int
    at: int
    tz_offset: int
    kind: Kind
    surface: Surface
    purpose: Purpose
    period: Period
    verdict: VerdictName
    policy_version: int
    rule: str = ""
    clause: str = ""
    person: str = ""
    groups: tuple[str, ...] = ()
    browser: str = ""
    service: str = ""
    host: str = ""
    suspected: bool = False
    grant: str = ""
    evidence: tuple[Evidence, ...] = ()
    dropped: int = 0
    sealed: str = ""


class BatchHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the device signs: which events, and where they stand in its chain (hashes are lower-case hex)."""

    device: str
    first_seq: int
    count: int
    prev: str
    head: str
    body_sha256: str
    agent_version: str

    @property
    def last_seq(self) -> int:
        """Sequence number of the last event."""
        return self.first_seq + self.count - 1


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The server's word that everything up to ``last_seq`` is stored; sent as a DSSE envelope.

    ``log_index`` and ``checkpoint`` are reserved for the transparency log.
    """

    v: Literal[1]
    device: str
    last_seq: int
    head: str
    time: int
    log_index: int | None = None
    checkpoint: str = ""


class Batch(msgspec.Struct, frozen=True):
    """A parsed batch. ``lines`` are the exact bytes of the events, ``events`` their meaning."""

    envelope: dsse.Envelope
    header: BatchHeader
    lines: tuple[bytes, ...]
    events: tuple[Event, ...]


_header = msgspec.json.Decoder(BatchHeader)
_event = msgspec.json.Decoder(Event)


def chain(prev: str, lines: Sequence[bytes]) -> str:
    """Return the chain hash (hex) after ``lines``, starting from ``prev`` (hex)."""
    digest = bytes.fromhex(prev)
    for line in lines:
        digest = hashlib.sha256(digest + line).digest()
    return digest.hex()


def seal(
    device: str, key: Ed25519PrivateKey, prev: str, first_seq: int, lines: Sequence[bytes], agent_version: str
) -> bytes:
    """Return a signed batch of ``lines`` (encoded events, consecutive from ``first_seq``), ready to send."""
    body = b"\n".join(lines)
    header = BatchHeader(
        device, first_seq, len(lines), prev, chain(prev, lines), hashlib.sha256(body).hexdigest(), agent_version
    )
    envelope = dsse.sign(dsse.BATCH_TYPE, msgspec.json.encode(header), key)
    return dsse.encode(envelope) + b"\n" + body


def parse_batch(raw: bytes) -> Batch:
    """Parse a batch and check it against itself: limits, numbering, hashes. Proves no signature.

    Raises TooLargeError or MalformedError.
    """
    if len(raw) > MAX_BATCH_BYTES:
        raise TooLargeError(f"a batch has at most {MAX_BATCH_BYTES} bytes, this one {len(raw)}")
    first, _, body = raw.partition(b"\n")
    envelope = dsse.decode(first)
    header = _decode(_header, dsse.payload_bytes(envelope), "batch header")
    lines = tuple(body.split(b"\n"))
    if len(lines) > MAX_BATCH_EVENTS:
        raise TooLargeError(f"a batch has at most {MAX_BATCH_EVENTS} events, this one {len(lines)}")
    if header.count != len(lines) or header.first_seq < 1:
        raise MalformedError(f"the header counts {header.count} events from {header.first_seq}, found {len(lines)}")
    if hashlib.sha256(body).hexdigest() != header.body_sha256:
        raise MalformedError("body_sha256 does not match the body")
    if not _is_hash(header.prev) or chain(header.prev, lines) != header.head:
        raise MalformedError("head is not the chain hash of the events")
    return Batch(envelope, header, lines, tuple(_parse_events(lines, header.first_seq)))


def check_follows(header: BatchHeader, next_seq: int, head: str) -> bool:
    """Say whether a batch brings something new after ``next_seq - 1`` events with chain hash ``head``.

    True: it continues the chain. False: it was accepted before (its last event is not new). Raises GapError when
    events are missing before it and ForkError when it contradicts the chain.
    """
    if header.last_seq < next_seq:
        if header.last_seq == next_seq - 1 and header.head != head:
            raise ForkError(f"events up to {header.last_seq} were accepted with another content")
        return False
    if header.first_seq > next_seq:
        raise GapError(f"expected event {next_seq}, got {header.first_seq}", expected_seq=next_seq)
    if header.first_seq < next_seq or header.prev != head:
        raise ForkError(f"event {header.first_seq} does not follow what was accepted before")
    return True


def _parse_events(lines: Sequence[bytes], first_seq: int) -> list[Event]:
    events = []
    for offset, line in enumerate(lines):
        if len(line) > MAX_EVENT_BYTES:
            raise TooLargeError(f"an event has at most {MAX_EVENT_BYTES} bytes, line {offset + 1} has {len(line)}")
        event = _decode(_event, line, f"event in line {offset + 1}")
        if event.seq != first_seq + offset:
            raise MalformedError(f"line {offset + 1} has number {event.seq}, expected {first_seq + offset}")
        events.append(event)
    return events


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes, what: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a valid {what}: {error}") from error
