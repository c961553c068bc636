"""Envelopes, events, batches and the export: what is signed proves itself; whatever is changed is noticed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from abide_rules import envelope as dsse
from abide_rules import wire
from abide_rules.errors import (
    AbideError,
    BadDataError,
    ForkError,
    GapError,
    MalformedError,
    SignatureError,
    TooLargeError,
)
from abide_rules.events import GENESIS, BatchHeader, Event, Receipt, chain, check_follows, parse_batch, seal
from abide_rules.export import BatchLine, DeviceLine, ExportLine, ServerLine, encode
from abide_rules.verify import verify_export

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SERVER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = {dsse.key_id(PUBLIC): PUBLIC}
DEVICE = dsse.device_id(PUBLIC)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def event(seq: int, **fields: Any) -> bytes:
    base: dict[str, Any] = {
        "v": 1, "seq": seq, "at": 1_795_000_000_000 + seq, "tz_offset": 60, "kind": "visit", "surface": "browser",
        "purpose": "undeclared", "period": "working", "verdict": "block", "policy_version": 1,
    }  # fmt: skip
    return msgspec.json.encode(msgspec.convert(base | {"service": "chatgpt", "host": "chatgpt.com"} | fields, Event))


def batch(first: int, count: int, prev: str = GENESIS, key: Ed25519PrivateKey = KEY, device: str = DEVICE) -> bytes:
    return seal(device, key, prev, first, [event(n) for n in range(first, first + count)], "0.1.0")


def test_another_library_verifies_our_envelope_and_we_refuse_what_it_refuses() -> None:
    envelope = dsse.sign(dsse.BATCH_TYPE, b"payload", KEY)
    theirs = OtherEnvelope.from_dict(json.loads(dsse.encode(envelope)))
    key = SSlibKey.from_crypto(KEY.public_key(), dsse.key_id(PUBLIC))
    theirs.verify([key], 1)
    assert dsse.verify(envelope, dsse.BATCH_TYPE, KEYS) == b"payload"
    theirs.payload = b"changed"
    with pytest.raises(VerificationError):
        theirs.verify([key], 1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"payload": b64(b"other")}, SignatureError),
        ({"payload": "###"}, MalformedError),
        ({"payload_type": dsse.RECEIPT_TYPE}, SignatureError),
        ({"signatures": ()}, SignatureError),
        ({"signatures": (dsse.Signature("00", "AA=="),)}, SignatureError),
        ({"signatures": (dsse.Signature(dsse.key_id(PUBLIC), "AA=="),)}, SignatureError),
        ({"signatures": (dsse.Signature(dsse.key_id(PUBLIC), "?"),)}, MalformedError),
    ],
    ids=[
        "other content",
        "no base64",
        "another type",
        "no signature",
        "an unknown key",
        "no real signature",
        "sig no base64",
    ],
)
def test_an_envelope_that_was_changed_is_refused(change: dict[str, Any], error: type[AbideError]) -> None:
    envelope = msgspec.structs.replace(dsse.sign(dsse.BATCH_TYPE, b"payload", KEY), **change)
    with pytest.raises(error):
        dsse.verify(envelope, dsse.BATCH_TYPE, KEYS)


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_only_our_errors(raw: bytes) -> None:
    for parse in (dsse.decode, parse_batch):
        with pytest.raises(BadDataError):
            parse(raw)


def test_a_batch_is_what_was_sealed() -> None:
    parsed = parse_batch(batch(1, 3))
    assert [e.seq for e in parsed.events] == [1, 2, 3]
    assert parsed.header.head == chain(GENESIS, parsed.lines)
    dsse.verify(parsed.envelope, dsse.BATCH_TYPE, KEYS)


def replace_line(raw: bytes, number: int, line: bytes) -> bytes:
    lines = raw.split(b"\n")
    lines[number] = line
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (replace_line(batch(1, 3), 2, event(2, host="evil.example")), MalformedError),
        (b"\n".join(batch(1, 3).split(b"\n")[:-1]), MalformedError),
        (batch(1, 3) + b"\n" + event(4), MalformedError),
        (batch(1, 3) + b"\n", MalformedError),
        (seal(DEVICE, KEY, GENESIS, 1, [event(2)], "0"), MalformedError),
        (seal(DEVICE, KEY, GENESIS, 0, [event(0)], "0"), MalformedError),
        (seal(DEVICE, KEY, GENESIS, 1, [b"{}"], "0"), MalformedError),
        (seal(DEVICE, KEY, GENESIS, 1, [event(1)[:-1] + b',"prompt":"x"}'], "0"), MalformedError),
        (seal(DEVICE, KEY, GENESIS, 1, [event(1, host="h" * wire.MAX_EVENT_BYTES)], "0"), TooLargeError),
        (batch(1, wire.MAX_BATCH_EVENTS + 1), TooLargeError),
        (b"x" * (wire.MAX_BATCH_BYTES + 1), TooLargeError),
        (b"", MalformedError),
    ],
    ids=["an event changed", "one cut off", "one added", "an empty line", "wrong number", "number zero", "no event",
         "an unknown field", "a huge event", "too many", "too large", "nothing"],
)  # fmt: skip
def test_a_batch_that_contradicts_itself_is_refused(raw: bytes, error: type[AbideError]) -> None:
    with pytest.raises(error):
        parse_batch(raw)


def header(first: int, count: int, prev: str, head: str) -> BatchHeader:
    return BatchHeader(DEVICE, first, count, prev, head, "", "")


@pytest.mark.parametrize(
    ("batch_header", "expected"),
    [
        (header(4, 2, "aa", "bb"), True),
        (header(2, 2, "..", "aa"), False),
        (header(1, 1, "..", "zz"), False),
        (header(2, 2, "..", "bb"), ForkError),
        (header(5, 1, "aa", "bb"), GapError),
        (header(4, 1, "ab", "bb"), ForkError),
        (header(3, 3, "..", "bb"), ForkError),
    ],
    ids=[
        "continues",
        "the last one again",
        "an old one again",
        "another content",
        "a gap",
        "another chain",
        "overlaps",
    ],
)
def test_a_batch_continues_the_chain_or_is_known_or_refused(
    batch_header: BatchHeader, expected: bool | type[AbideError]
) -> None:
    if isinstance(expected, bool):
        assert check_follows(batch_header, 4, "aa") is expected
        return
    with pytest.raises(expected) as caught:
        check_follows(batch_header, 4, "aa")
    assert getattr(caught.value, "expected_seq", 4) == 4


def receipt(raw: bytes, key: Ed25519PrivateKey = SERVER) -> dsse.Envelope:
    h = parse_batch(raw).header
    return dsse.sign(dsse.RECEIPT_TYPE, msgspec.json.encode(Receipt(1, h.device, h.last_seq, h.head, 5)), key)


def proof(key: Ed25519PrivateKey = KEY, public: bytes = PUBLIC) -> dsse.Envelope:
    content = wire.EnrolmentProof("t", b64(public), "laptop", "linux", "0.1.0", 1)
    return dsse.sign(dsse.ENROLMENT_TYPE, msgspec.json.encode(content), key)


FIRST = batch(1, 3)
SECOND = batch(4, 2, parse_batch(FIRST).header.head)
LINES: list[Any] = [
    ExportLine(1, 9),
    ServerLine(b64(SERVER.public_key().public_bytes_raw())),
    DeviceLine(DEVICE, b64(PUBLIC), 1, proof()),
    BatchLine(FIRST.decode(), receipt(FIRST)),
    BatchLine(SECOND.decode(), receipt(SECOND)),
]


def edit(index: int, **fields: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda lines: [msgspec.structs.replace(x, **fields) if n == index else x for n, x in enumerate(lines)]


def test_an_export_proves_itself() -> None:
    report = verify_export([encode(line) for line in LINES])
    assert (report.devices, report.batches, report.events) == (1, 2, 5)


OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda lines: [*lines[:3], lines[4]], GapError),
        (lambda lines: [*lines, lines[4]], ForkError),
        (lambda lines: lines[1:], MalformedError),
        (lambda lines: lines[:1], MalformedError),
        (lambda lines: [lines[0], lines[1], *lines[3:]], SignatureError),
        (edit(3, batch=FIRST.decode().replace("chatgpt.com", "chatgpt.net")), MalformedError),
        (edit(3, batch=batch(1, 3, key=OTHER).decode()), SignatureError),
        (edit(3, receipt=receipt(FIRST, OTHER)), SignatureError),
        (edit(3, receipt=receipt(SECOND)), SignatureError),
        (edit(2, device="dev-" + "0" * 20), SignatureError),
        (edit(2, public_key=b64(OTHER.public_key().public_bytes_raw())), SignatureError),
        (edit(2, proof=proof(OTHER)), SignatureError),
        (edit(2, proof=proof(KEY, b"x" * 32)), SignatureError),
        (edit(1, receipt_key="AA=="), MalformedError),
    ],
    ids=["a batch is missing", "a batch is there twice", "no first line", "cut off", "an unknown device",
         "an event was changed", "signed by another key", "a receipt by another server", "a receipt for other events",
         "another device's name", "another device's key", "an enrolment by another key", "an enrolment of another key",
         "a broken key"],
)  # fmt: skip
def test_an_export_that_was_changed_is_refused(
    change: Callable[[list[Any]], list[Any]], error: type[AbideError]
) -> None:
    with pytest.raises(error):
        verify_export([encode(line) for line in change(LINES)])


def test_a_receipt_key_known_from_elsewhere_overrules_the_export_s() -> None:
    with pytest.raises(SignatureError):
        verify_export([encode(line) for line in LINES], b64(OTHER.public_key().public_bytes_raw()))
